//! The page to look at: `/` of the control listener, and the two files it needs.
//!
//! It is opened by an address with the token; without it stands a page that says so. Nothing of the
//! world is written into the page here: its script asks `/_sim/overview` and puts in text only.

use http::{HeaderMap, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Bytes;
use subtle::ConstantTimeEq;

const PAGE: &str = include_str!("page.html");
const REFUSED: &str = include_str!("refused.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Nothing from elsewhere, nothing inline, no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                      require-trusted-types-for 'script'";

/// The answer to a `GET` of this target, when it is one of the page's.
pub(super) fn answer(target: &http::Uri, token: &str) -> Option<Response<Full<Bytes>>> {
    let (status, kind, text) = match target.path() {
        "/" if knows(target.query().unwrap_or_default(), token) => {
            (StatusCode::OK, "text/html; charset=utf-8", PAGE)
        }
        "/" => (
            StatusCode::UNAUTHORIZED,
            "text/html; charset=utf-8",
            REFUSED,
        ),
        "/page.css" => (StatusCode::OK, "text/css; charset=utf-8", STYLE),
        "/page.js" => (StatusCode::OK, "text/javascript; charset=utf-8", SCRIPT),
        _ => return None,
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    set_headers(response.headers_mut(), kind);
    Some(response)
}

fn set_headers(headers: &mut HeaderMap, kind: &'static str) {
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // The address holds the token: it goes nowhere, and stays nowhere.
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
}

/// Whether the query of an address holds the token.
fn knows(query: &str, token: &str) -> bool {
    let mut fields = query.split('&').filter_map(|field| field.split_once('='));
    fields.any(|(name, value)| {
        name == "token" && bool::from(value.as_bytes().ct_eq(token.as_bytes()))
    })
}
