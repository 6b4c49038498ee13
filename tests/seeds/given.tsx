// What the printed components take for granted: esbuild puts each name in where nothing else declares it.

import { useCallback, useEffect, useMemo, useState } from 'react'

import { useSSE } from '@/hooks/useSSE'

export { useCallback, useEffect, useMemo, useSSE, useState }

const shown = (name: string, show: (props: any) => any) => (props: any) => <div className={name}>{show(props)}</div>
const heard = (name: string) => (data: unknown) => (globalThis as any).tell(name, data)

export const Spinner = () => null
export const ConnectionStatus = shown('status', ({ state }) => state)
export const MessageList = shown('list', ({ messages }) => messages.map((one: any) => <p key={one.id}>{one.content}</p>))
export const ChatInput = shown('input', ({ disabled }) => (disabled ? 'off' : 'on'))
export const MessageCard = shown('card', ({ message }) => `${message.type}: ${message.content}`)
export const SessionCard = shown('session', ({ sessionId, isConnected }) => `${sessionId} ${isConnected}`)

export const setGenerationProgress = heard('progress')
export const setPartialContent = heard('partial')
export const addMessage = heard('message')
export const updateProgress = heard('update')
export const addThinkingStep = heard('thought')
export const updateMessage = heard('content')
export const processEvents = heard('polled')
export const originalQuery = 'What was it again?'
