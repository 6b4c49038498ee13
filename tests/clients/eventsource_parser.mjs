// npm `eventsource-parser`: only reads the stream; the loop around it is what its user writes.

import { setTimeout } from 'node:timers/promises'

import { EventSourceParserStream } from 'eventsource-parser/stream'

import { followAll, tell } from './follow.mjs'

await followAll(async (url, n) => {
  let cursor
  let retry = 100
  const read = async (response) => {
    const events = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(
      new EventSourceParserStream({
        onRetry: (ms) => {
          retry = ms
        },
      }),
    )
    for await (const { event, data, id } of events) {
      cursor = id ?? cursor
      tell(n, event ?? 'message', data, id ?? '')
    }
  }
  for (;;) {
    try {
      const response = await fetch(url, { headers: cursor ? { 'Last-Event-ID': cursor } : {} })
      if (response.status === 204) return
      if (response.status !== 200) throw new Error(`status ${response.status}`)
      await read(response)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error // fetch's word for a lost line
    }
    await setTimeout(retry)
  }
})
