// Validates a HAR file against the schema that other tools use.
const fs = require('fs')
const validate = require('har-validator/lib/async')

const document = JSON.parse(fs.readFileSync(process.argv[2]))
validate.har(document, (error, valid) => {
  if (!valid) {
    console.error(JSON.stringify(error && error.errors, null, 2))
    process.exit(1)
  }
  console.log(`${document.log.entries.length} entries are valid`)
})
