// Chromium with the HAR instead of a network: a page gets the recorded responses.
const fs = require('fs')
const assert = require('assert')
const { chromium } = require('playwright-core')

async function main (har, wanted) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking']
  })
  try {
    const context = await browser.newContext()
    await context.routeFromHAR(har, { notFound: 'abort' })
    const page = await context.newPage()
    const origin = 'http://shop.example'
    const answer = (method, path) => {
      const found = wanted.find(entry => entry.method === method && entry.url === origin + path)
      return { ...found, body: Buffer.from(found.response, 'base64') }
    }

    const path = '/page?x=1&list[]=a%20b'
    const shown = await page.goto(origin + path)
    assert.strictEqual(shown.status(), 200)
    assert.deepStrictEqual(await shown.body(), answer('GET', path).body)
    assert.strictEqual(await page.textContent('#text'), 'Łódź')

    const fetched = (path, options) => page.evaluate(async ([path, options]) => {
      const response = await fetch(path, options)
      return { status: response.status, bytes: Array.from(new Uint8Array(await response.arrayBuffer())) }
    }, [path, options])
    const same = async (method, path, options) => {
      const got = await fetched(path, { method, ...options })
      const kept = answer(method, path)
      assert.strictEqual(got.status, kept.status, path)
      assert.deepStrictEqual(Buffer.from(got.bytes), kept.body, path)
    }
    await same('GET', '/image')
    await same('GET', '/plain')
    await same('GET', '/fails')
    await same('GET', '/empty')
    const sent = answer('POST', '/json?limit=5').request
    await same('POST', '/json?limit=5', {
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(sent, 'base64').toString()
    })
    // Requests that are not in the document get no response.
    await assert.rejects(fetched('/other'))
    console.log('a page got the recorded answers')
  } finally {
    await browser.close()
  }
}

main(process.argv[2], JSON.parse(fs.readFileSync(process.argv[3]))).catch(error => {
  console.error(error)
  process.exit(1)
})
