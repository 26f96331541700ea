//! What each problem means and what a client does about it: shown at its type URL and printed into docs/API.md.
//! Data, not logic; a test fails for a code without its row.

use super::problem::Code;

/// Meaning and remedy; both empty for a code without a row.
pub fn help(code: Code) -> (&'static str, &'static str) {
    let row = ROWS.iter().find(|row| row.0 == code);
    row.map_or(("", ""), |row| (row.1, row.2))
}

/// Code, meaning, remedy.
static ROWS: &[(Code, &str, &str)] = &[
    (
        Code::MalformedRequest,
        "A header, parameter or member of the body is missing, unknown, too long or of the wrong type; `errors` names it.",
        "Correct the client: the same request never succeeds.",
    ),
    (
        Code::Unauthenticated,
        "There is no access token, or not one that counts for this operation; or the log-in is wrong. Never says which.",
        "Refresh the session, or log in again.",
    ),
    (
        Code::SecondFactorNeeded,
        "The password is right, and the account has one-time passwords.",
        "Log in again with `code`: what the authenticator shows, or a recovery code.",
    ),
    (
        Code::Forbidden,
        "The caller is known, and its rights do not cover this here.",
        "Log in at a unit in the subtree of a role that may, or ask somebody whose role may.",
    ),
    (
        Code::DeviceNotApproved,
        "The secret is right, and nobody with rights over the device's unit has approved it yet.",
        "Have it approved (`approveDevice`), and log in again; ask no more than once a minute.",
    ),
    (
        Code::DeviceSuspended,
        "The secret is right, and staff have suspended the device.",
        "Wait until it is resumed (`resumeDevice`); ask no more than once a minute.",
    ),
    (
        Code::NotFound,
        "There is no such thing, or not for this caller.",
        "Look the number up again; do not retry.",
    ),
    (
        Code::NoSuchRoute,
        "The address is none of the API's.",
        "Correct the client's base address or path.",
    ),
    (
        Code::MethodNotAllowed,
        "The address exists and does not know this method; `Allow` lists those it knows.",
        "Correct the client.",
    ),
    (
        Code::NotAcceptable,
        "`Accept` lists only forms that this operation does not answer in; its description lists those it does.",
        "Correct the client.",
    ),
    (
        Code::Refused,
        "The rules say no. `refusals` lists every reason at once, with its outcome, its texts and the rule that said so.",
        "Show the remedies. Staff may send `overrides` for the outcome `override` and `confirm` for `confirm`, together with \
             the `consent_token` of this answer; without a token, or with `blocked` among them, it stays.",
    ),
    (
        Code::ConsentRequired,
        "Overrides or confirmations came without the token that binds them to what was told.",
        "Show `refusals` to the person, then send the same with the new `consent_token`.",
    ),
    (
        Code::ConsentExpired,
        "The token is older than `circulation.consent_minutes`; `refusals` is what is found now.",
        "Show `refusals` again, then send the same with the new `consent_token`.",
    ),
    (
        Code::ConsentDoesNotFit,
        "The token was given to somebody else, for another act, reader or item, or does not cover what is found now.",
        "Show `refusals`, which is the whole set, then send the same with the new `consent_token`.",
    ),
    (
        Code::AmbiguousBarcode,
        "Several owners have this barcode; `owners` lists them.",
        "Ask the person which, and send it as `owner_unit_code`.",
    ),
    (
        Code::WrongState,
        "The thing is not in a state in which this is possible: a loan that is closed, a hold that is filled.",
        "Read it again, and show what it is now.",
    ),
    (
        Code::BibMerged,
        "The bib turned out to be a duplicate; `merged_into` names the one that stands for it and has its items and holds.",
        "Use that bib.",
    ),
    (
        Code::Conflict,
        "Somebody did the same at the same time, or gave this code or number away before.",
        "Read again; then decide whether there is still something to do.",
    ),
    (
        Code::AcknowledgementForged,
        "The receipt is not that of this command's delivery. Nothing was changed, and staff are told.",
        "Acknowledge with the receipt that came with the command; never with one that was kept of another.",
    ),
    (
        Code::LockerInUse,
        "Another reader's session is open on this screen, or one of its doors.",
        "Try again after `Retry-After`; a machine with several screens has others.",
    ),
    (
        Code::LockerSessionEnded,
        "The session ended: `ended`, `idle` after a minute, `too_long` after fifteen, or with its `device`.",
        "Let the reader identify again (`startLockerSession`).",
    ),
    (
        Code::NoCompartmentFits,
        "No compartment that is empty is large enough and meant for this; the detail says which sizes are empty.",
        "Show the nearest other machine, or wait for the next round.",
    ),
    (
        Code::CompartmentState,
        "What is known of the compartment's inside excludes this; the detail says in which states it is possible.",
        "Look at the compartment (`listCompartments`); a person may settle it (`settleCompartment`).",
    ),
    (
        Code::CompartmentTurn,
        "The report or order is of another turn: somebody else has had the compartment since. Nothing was changed.",
        "Open no door for it; report what is inside with the present turn.",
    ),
    (
        Code::LoadIt,
        "The copy is for a reader who fetches it from a compartment here; checked in otherwise it would be ready and in none.",
        "Put it into a compartment (`loadCompartment`).",
    ),
    (
        Code::BodyTooLarge,
        "The body is longer than `http.max_body_bytes`, or that of a batch than `limits.batch_body_bytes`.",
        "Send less at once, or raise the limit.",
    ),
    (
        Code::UnsupportedMediaType,
        "The body is not `application/json` in UTF-8, or it is compressed.",
        "Set `Content-Type: application/json` and send plain UTF-8.",
    ),
    (
        Code::DuplicateReader,
        "Somebody is registered with this ID number; `existing_reader_id` says who.",
        "Give that reader another card. If another row of the same person came from elsewhere, merge the two.",
    ),
    (
        Code::InvalidFields,
        "The request can be read, but a member names nothing here or cannot be what it says; `errors` names each.",
        "Show the reasons beside the fields.",
    ),
    (
        Code::IdempotencyKeyReused,
        "The key was used with another request within `jobs.idempotency_days`.",
        "Make a new key for each act; use the old one only to repeat the same bytes.",
    ),
    (
        Code::PreconditionFailed,
        "Somebody changed it since the version named in `If-Match`.",
        "Read it again, put your change on top of what it is now, and send that version's `ETag`.",
    ),
    (
        Code::PreconditionRequired,
        "A change to this needs `If-Match`, so that nobody's work is overwritten unseen.",
        "Send the `ETag` of the version you changed in `If-Match`.",
    ),
    (
        Code::HeadersTooLarge,
        "The request line and the headers together are longer than `limits.header_bytes`.",
        "Send shorter headers, or raise the limit.",
    ),
    (
        Code::TooManyLogIns,
        "Too many wrong secrets were tried for this account or from this address.",
        "Wait `Retry-After` seconds. A person who forgot the secret has it set anew at a desk.",
    ),
    (
        Code::TooManyRequests,
        "This client asked more often than `rates` allows.",
        "Wait `Retry-After` seconds; spread requests over time.",
    ),
    (
        Code::Internal,
        "Something broke that should not. Nothing was half done; `request_id` names it in the log.",
        "Report it with the `request_id`. Repeating is safe with an `Idempotency-Key`.",
    ),
    (
        Code::Busy,
        "Too much work is waiting; this was not begun.",
        "Repeat after `Retry-After` seconds, with the same `Idempotency-Key`.",
    ),
    (
        Code::Unavailable,
        "The database is locked, full or gone, or this node is stopping.",
        "Repeat after `Retry-After` seconds, with the same `Idempotency-Key`; tell the operator if it lasts.",
    ),
    (
        Code::TimedOut,
        "It took longer than `http.request_timeout_ms`. It may still have been done.",
        "Repeat with the same `Idempotency-Key`: what was done is answered, not done twice.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_meaning_and_remedy() {
        for code in Code::ALL {
            let (meaning, remedy) = help(*code);
            assert!(
                meaning.ends_with('.') && remedy.ends_with('.'),
                "{}: {meaning} {remedy}",
                code.code()
            );
        }
    }
}
