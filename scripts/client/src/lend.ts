// Lends a book of the demo network and takes it back, through nothing but a client generated from the OpenAPI file.
// Arguments: the address of the program and its file of demo log-ins. See scripts/client.sh.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Loan = components["schemas"]["LoanView"];

// The file of `tongjie demo`; not part of the API.
interface Accounts {
  staff: { username: string; password: string; unit_code: string; role: string }[];
  readers: { card_number: string }[];
  items_on_shelf: { barcode: string; unit_code: string }[];
}

const [baseUrl, accountsFile] = process.argv.slice(2);
assert(baseUrl && accountsFile, "usage: lend.js URL ACCOUNTS");
const accounts = JSON.parse(readFileSync(accountsFile, "utf8")) as Accounts;
const client = createClient<paths>({ baseUrl });

// A desk with a librarian, a copy on its shelves, and a reader.
const desk = accounts.staff.find(
  (one) => one.role === "librarian" && accounts.items_on_shelf.some((item) => item.unit_code === one.unit_code),
);
assert(desk, "no librarian works where a copy is on the shelf");

async function logIn({ username, password, unit_code }: Accounts["staff"][number]) {
  const { data, error } = await client.POST("/api/v1/sessions", { body: { username, password, unit_code } });
  assert(data, `log-in: ${JSON.stringify(error)}`);
  return data;
}

// A changing request may be sent again under its key.
const keyed = () => ({ header: { "Idempotency-Key": randomUUID() } });

async function lendSomething(unitCode: string): Promise<Loan> {
  const refused: string[] = [];
  for (const reader of accounts.readers) {
    for (const item of accounts.items_on_shelf.filter((one) => one.unit_code === unitCode).slice(0, 20)) {
      const body = { item_barcode: item.barcode, card_number: reader.card_number };
      const params = keyed();
      const first = await client.POST("/api/v1/check-outs", { body, params });
      const loan = first.data?.loan;
      if (loan) {
        const again = await client.POST("/api/v1/check-outs", { body, params });
        assert.equal(again.data?.loan?.id, loan.id, "the same request makes the same loan");
        assert.equal(again.response.headers.get("Idempotency-Replayed"), "true");
        return loan;
      }
      refused.push((first.error?.refusals ?? []).map((one) => one.code).join("+") || first.error?.code || "no loan");
    }
  }
  throw new Error(`nothing could be lent: ${[...new Set(refused)].join(", ")}`);
}

const session = await logIn(desk);
assert.equal(session.audience, "staff");
client.use({
  onRequest({ request }) {
    request.headers.set("Authorization", `Bearer ${session.access_token}`);
    return request;
  },
});

const loan = await lendSomething(desk.unit_code);
assert.equal(loan.status, "open");
assert(Date.parse(loan.due_at) > Date.parse(loan.loaned_at));

const item = await client.GET("/api/v1/items/{id}", { params: { path: { id: loan.item_id } } });
assert.equal(item.data?.status, "on_loan");

const back = await client.POST("/api/v1/check-ins", { body: { item_barcode: loan.item_barcode }, params: keyed() });
assert.equal(back.data?.closed_loan?.id, loan.id, JSON.stringify(back.error));
const nextStep: string = back.data.next_step.kind;

const nobody = await client.GET("/api/v1/items/{id}", { params: { path: { id: 1 } } });
assert.equal(nobody.error?.code, "not_found");

const ended = await client.DELETE("/api/v1/sessions/current", {});
assert.equal(ended.response.status, 204);
console.log(`lent and taken back: loan ${loan.id}, due ${loan.due_at}, then ${nextStep}`);
