// A hook with the options and the fields that the implementation guide uses; it is ours, since no document prints one.

import { useCallback, useEffect, useRef, useState } from 'react'
import { flushSync } from 'react-dom'

export type SSEConnectionState = 'disconnected' | 'connecting' | 'connected' | 'reconnecting' | 'error'
type AgentNetworkEvent = { type: string; data: any }
type Handler = (event: AgentNetworkEvent) => void

type Options = {
  enabled?: boolean
  autoReconnect?: boolean
  maxReconnectAttempts?: number
  reconnectDelay?: number
  maxReconnectDelay?: number
  onConnect?: () => void
  onDisconnect?: () => void
  onError?: (error: Error) => void
}

const TYPES = [
  'connection',
  'message',
  'status_update',
  'thought_process_start',
  'thought_process_step',
  'thought_process_complete',
  'message_regenerating',
  'regeneration_progress',
  'message_regenerated',
  'regeneration_error',
  'message_edited',
  'message_deleted',
]
const NOTHING = {
  connectionState: 'disconnected' as SSEConnectionState,
  events: [] as AgentNetworkEvent[],
  lastEvent: null as AgentNetworkEvent | null,
  error: null as string | null,
  reconnectAttempt: 0,
}

export function useSSE(url: string, options: Options = {}) {
  const { enabled = true, autoReconnect = true, maxReconnectAttempts = 5 } = options
  const { reconnectDelay = 1000, maxReconnectDelay = 30000 } = options
  const [told, setTold] = useState(NOTHING)
  const source = useRef<EventSource | null>(null)
  const handlers = useRef(new Map<string, Set<Handler>>())
  const attempt = useRef(0)
  // Each event is shown before the next one comes: `lastEvent` skips none.
  const say = (news: Partial<typeof NOTHING>) => flushSync(() => setTold((before) => ({ ...before, ...news })))

  const open = (connectionState: SSEConnectionState) => {
    say({ connectionState })
    const opened = (source.current = new EventSource(url))
    opened.onopen = () => {
      attempt.current = 0
      say({ connectionState: 'connected', error: null, reconnectAttempt: 0 })
      options.onConnect?.()
    }
    opened.onerror = () => {
      if (opened.readyState === EventSource.CLOSED) return lost()
      say({ connectionState: 'reconnecting' })
    }
    for (const type of TYPES) {
      opened.addEventListener(type, ({ data }) => {
        const event = { type, data: JSON.parse(data) }
        flushSync(() => setTold((before) => ({ ...before, lastEvent: event, events: [...before.events, event] })))
        handlers.current.get(type)?.forEach((handle) => handle(event))
      })
    }
  }
  const lost = () => {
    const error = 'EventSource closed: its answer was blocked or refused'
    options.onError?.(new Error(error))
    options.onDisconnect?.()
    if (!autoReconnect || attempt.current >= maxReconnectAttempts) return say({ connectionState: 'error', error })
    attempt.current += 1
    say({ connectionState: 'reconnecting', error, reconnectAttempt: attempt.current })
    const delay = Math.min(reconnectDelay * 2 ** (attempt.current - 1), maxReconnectDelay)
    setTimeout(() => open('reconnecting'), delay)
  }
  const connect = () => open('connecting')
  const disconnect = () => {
    source.current?.close()
    say({ connectionState: 'disconnected' })
  }
  const reconnect = () => {
    source.current?.close()
    attempt.current = 0
    open('reconnecting')
  }

  useEffect(() => {
    if (!enabled) return
    queueMicrotask(connect)
    return () => source.current?.close()
  }, [url, enabled])

  const addEventListener = useCallback((type: string, handle: Handler) => {
    const listening = handlers.current.get(type) ?? new Set()
    handlers.current.set(type, listening.add(handle))
    return () => {
      listening.delete(handle)
    }
  }, [])

  return { ...told, isConnected: told.connectionState === 'connected', connect, disconnect, reconnect, addEventListener }
}
