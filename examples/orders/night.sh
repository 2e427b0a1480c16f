#!/usr/bin/env bash
# Replays a night of the example `orders` in some seconds; docs/walkthrough.md finds the
# causes. BASE is its URL. The IDs are like those of a gateway in front of it.
set -euo pipefail
base=${BASE:-http://127.0.0.1:3000}

# Prints a request for curl: order TENANT ID ITEM QUANTITY NAME
order() {
    local data='{"item":"'"$3"'","quantity":'"$4"',"customer":{"name":"'"$5"'","email":"a@example.com"},"card":"5555555555554444"}'
    transfer "$base/orders" "$1" "$2"
    printf 'header = "content-type: application/json"\ndata = "%s"\n' "${data//\"/\\\"}"
}

# transfer URL TENANT ID
transfer() {
    printf 'next\nsilent\nnoproxy = "*"\noutput = "/dev/null"\nwrite-out = "%%{http_code} "\n'
    printf 'url = "%s"\nheader = "x-tenant: %s"\nheader = "x-request-id: %s"\n' "$@"
}

# One curl sends them in order, on one connection.
{
    for n in 1 2 3; do order initech "initech-$n" mat 1 'Ada Byron'; done
    for n in 380 400 450; do order globex "globex-$n" cup "$n" 'Grace Hopper'; done
    # A family orders one mat for each member.
    for n in $(seq 25); do order acme "acme-$n" mat 1 'Katarzyna Zielińska'; done
    order acme 5d1e8f20-7f3c-4c8e-9a57-0b1d2e6ac3b4 mat 1 'Agnieszka Zielińska'
    # The first customer has a typo in the address.
    transfer "$base/orders/4711" initech 9b2f77c1-41d0-4e0b-8a3e-c15a90d2e7f6
} | sed 1d | curl --config -
echo
