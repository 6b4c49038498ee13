// What the JavaScript clients share: which streams to follow, and how to tell what came.

import { text } from 'node:stream/consumers'

const AT_ONCE = 32

const { urls, types } = JSON.parse(await text(process.stdin))

/** The names to listen for; an event without a name is a `message`. */
export const names = ['message', ...types]

/** Tells one event of a stream as a line of JSON. */
export function tell(n, type, data, id) {
  process.stdout.write(`${JSON.stringify({ n, type, data, id })}\n`)
}

/** Runs `follow(url, n)` for every stream; it returns once its client has stopped for good. */
export async function followAll(follow) {
  const waiting = urls.entries()
  const one = async () => {
    for (const [n, url] of waiting) await follow(url, n)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}
