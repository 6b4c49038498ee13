// npm `@microsoft/fetch-event-source`: callbacks on fetch. It takes an end of the stream for the end, and a 204 for a
// failure to try again, unless it is told otherwise, as here.

import { fetchEventSource } from '@microsoft/fetch-event-source'

import { followAll, tell } from './follow.mjs'

class Stop extends Error {}
class Again extends Error {}

// It knows browsers only.
globalThis.window = globalThis
globalThis.document = { addEventListener() {}, removeEventListener() {} }

await followAll(async (url, n) => {
  const following = fetchEventSource(url, {
    onopen(response) {
      if (response.status === 204) throw new Stop()
      if (response.status !== 200) throw new Stop(`status ${response.status}`)
    },
    onmessage({ event, data, id }) {
      tell(n, event || 'message', data, id)
    },
    onclose() {
      throw new Again()
    },
    onerror(error) {
      if (error instanceof Stop) throw error
    },
  })
  await following.catch((error) => {
    if (!(error instanceof Stop) || error.message) throw error
  })
})
