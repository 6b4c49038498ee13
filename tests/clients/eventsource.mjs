// npm `eventsource`: the browser's interface, for node.

import { EventSource } from 'eventsource'

import { followAll, names, tell } from './follow.mjs'

// Its timers don't keep node awake. So this does, and somewhat longer: a client that is closed makes no further request.
const awake = setInterval(() => {}, 1000)

await followAll(
  (url, n) =>
    new Promise((resolve) => {
      const source = new EventSource(url)
      for (const name of names) {
        source.addEventListener(name, ({ type, data, lastEventId }) => tell(n, type, data, lastEventId))
      }
      source.onerror = () => source.readyState === EventSource.CLOSED && resolve()
    }),
)
setTimeout(() => clearInterval(awake), 100)
