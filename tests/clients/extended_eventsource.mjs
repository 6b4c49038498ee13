// npm `extended-eventsource`: the browser's interface with headers, on fetch.

import { EventSource } from 'extended-eventsource'

import { followAll, names, tell } from './follow.mjs'

await followAll(
  (url, n) =>
    new Promise((resolve) => {
      const source = new EventSource(url, { disableLogger: true, retry: 100 })
      for (const name of names) {
        source.addEventListener(name, ({ type, data, lastEventId }) => tell(n, type, data, lastEventId))
      }
      source.onerror = () => source.readyState === source.CLOSED && resolve()
    }),
)
