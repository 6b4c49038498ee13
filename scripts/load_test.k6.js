// The load test for people who live in k6:  k6 run scripts/load_test.k6.js
//
//   k6 run -e URL=https://sse.example.com -e TOKEN=... -e VUS=200 -e DURATION=5m scripts/load_test.k6.js
//
// k6's http module gives an answer when it is over and never before, so it can't watch a stream: no delivery delay and
// no first byte of a stream is measured here, no reconnect of one is tried, and a stream that a proxy buffers looks as
// good as one that flows. Each virtual user starts a job, long-polls it to `done` and checks that the seqs are 1, 2, 3 …
// without a hole: what is measured is the start, the polling fallback and the events' wholeness. First tokens and
// delays are those of somebody who polls, and need a clock that agrees with the server's (CLOCK_AGREES=1).
// scripts/load_test.py measures the streams.
//
// ENV: URL, TOKEN, AGENT (load), INPUT (JSON), EVENTS, RATE, SIZE, WAIT (seconds of a long poll), VUS, RAMP, DURATION.

import http from "k6/http";
import { check, sleep } from "k6";
import { Counter, Rate, Trend } from "k6/metrics";

const env = (name, fallback) => __ENV[name] || fallback;
const URL = env("URL", "http://127.0.0.1:8000").replace(/\/+$/, "");
const AGENT = env("AGENT", "load");
const WAIT = Number(env("WAIT", "20"));
const CLOCK_AGREES = env("CLOCK_AGREES", "") !== "";
const INPUT = JSON.parse(
  env(
    "INPUT",
    JSON.stringify({
      events: Number(env("EVENTS", "100")),
      rate: Number(env("RATE", "10")),
      size: Number(env("SIZE", "40")),
    }),
  ),
);

const firstToken = new Trend("first_token", true);
const delay = new Trend("delivery_delay", true);
const events = new Counter("events");
const lost = new Counter("events_lost");
const repeated = new Counter("events_repeated");
const whole = new Rate("jobs_whole");
const retried = new Rate("requests_retried");

const thresholds = {
  first_token: ["p(95)<350"],
  jobs_whole: ["rate>0.99"],
  http_req_failed: ["rate<0.01"],
  requests_retried: ["rate<0.05"],
  events_lost: ["count<1"],
  events_repeated: ["count<1"],
};

export const options = {
  thresholds,
  scenarios: {
    jobs: {
      executor: "ramping-vus",
      startVUs: 0,
      stages: [
        { duration: env("RAMP", "10s"), target: Number(env("VUS", "100")) },
        { duration: env("DURATION", "60s"), target: Number(env("VUS", "100")) },
      ],
      gracefulRampDown: "60s",
      gracefulStop: "60s",
    },
  },
};

// What `send` answers, again after a 429 or a 5xx, as long as the server says; null when it stays so.
function patiently(send) {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const answer = send();
    const passing = answer.status === 0 || answer.status === 429 || answer.status >= 500;
    retried.add(passing);
    if (!passing) return answer;
    sleep(Number(answer.headers["Retry-After"] || 1));
  }
  return null;
}

function headers(more) {
  const shown = __ENV.TOKEN ? { Authorization: `Bearer ${__ENV.TOKEN}` } : {};
  return Object.assign(shown, more);
}

function start() {
  const key = `k6-${__VU}-${__ITER}-${Date.now()}`; // one job, however often its start is sent
  const body = JSON.stringify({ agent: AGENT, input: INPUT });
  const params = {
    headers: headers({ "Content-Type": "application/json", "Idempotency-Key": key }),
    tags: { name: "start" },
  };
  const answer = patiently(() => http.post(`${URL}/api/jobs`, body, params));
  const started = check(answer, { "start is 202": (got) => got !== null && got.status === 202 });
  return started ? answer.json() : null;
}

function page(path, cursor) {
  const params = { headers: headers({}), tags: { name: "poll" }, timeout: `${WAIT + 15}s` };
  const answer = patiently(() => http.get(`${URL}${path}?after=${cursor}&limit=500&wait=${WAIT}`, params));
  const polled = check(answer, { "poll is 200": (got) => got !== null && got.status === 200 });
  return polled ? answer.json() : null;
}

// Reads a job to its `done`; true where its seqs were 1, 2, 3 … with none missing and none twice.
function follow(path, began) {
  let cursor = "0";
  let expected = 1;
  let tokenSeen = false;
  let flawless = true;
  for (;;) {
    const got = page(path, cursor);
    if (got === null) return false;
    const now = Date.now();
    for (const event of got.events) {
      events.add(1);
      if (event.seq > expected) {
        lost.add(event.seq - expected);
        flawless = false;
      } else if (event.seq < expected) {
        repeated.add(1);
        flawless = false;
      }
      expected = Math.max(expected, event.seq + 1);
      if (event.type === "token" && !tokenSeen) {
        tokenSeen = true;
        firstToken.add(now - began);
      }
      if (CLOCK_AGREES) delay.add(now - Date.parse(event.timestamp));
      if (event.type === "done") return flawless && event.status === "succeeded";
    }
    if (got.done) {
      lost.add(1); // the server says that there is nothing more, and `done` never came
      return false;
    }
    cursor = got.next;
    if (got.events.length === 0) sleep(WAIT ? 0 : got.poll_after_ms / 1000);
  }
}

export default function () {
  const began = Date.now();
  const job = start();
  whole.add(job !== null && follow(job.links.events, began));
  if (job === null) sleep(1);
}
