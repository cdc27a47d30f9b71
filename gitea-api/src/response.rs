//! Pure: status, headers and bytes become a value or an error.

mod classify;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::{Delivery, Error, ErrorKind, Result};
use crate::request::Verb;

pub(crate) use classify::{Refusal, classify};

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as it came.
    pub body: Bytes,
}

impl Answer {
    /// A header's text, if it is there and readable.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The call an answer belongs to, for errors.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) title: String,
    pub(crate) verb: Verb,
    pub(crate) address: String,
}

impl Subject {
    fn error(&self, kind: ErrorKind, status: u16) -> Error {
        Error::new(kind, &*self.title, Delivery::Answered)
            .at(&*self.address)
            .answered(status)
    }
}

/// Lets a success pass and turns anything else into its error.
pub(crate) fn accept(subject: &Subject, answer: Answer) -> Result<Answer> {
    if (200..300).contains(&answer.status) || answer.status == 304 {
        return Ok(answer);
    }
    let refusal = Refusal::read(&answer);
    let kind = classify(subject.verb, answer.status, &refusal);
    let error = subject.error(kind, answer.status).saying(refusal.text());
    Err(error.toward(answer.header("location")))
}

/// Reads a JSON value; a failure names the member.
pub(crate) fn decode<T: DeserializeOwned>(subject: &Subject, answer: &Answer) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(&answer.body);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let kind = if looks_like_json(&answer.body) {
            ErrorKind::Decode
        } else {
            ErrorKind::NotGitea
        };
        let place = error.path().to_string();
        subject
            .error(kind, answer.status)
            .saying(format!("member `{place}`"))
            .because(error.into_inner())
    })
}

/// Reads the list that stands in a member of the answer, and the total beside it.
pub(crate) fn decode_wrapped<T: DeserializeOwned>(
    subject: &Subject,
    answer: &Answer,
    member: &str,
) -> Result<(Vec<T>, Option<u64>)> {
    let mut whole: Value = decode(subject, answer)?;
    let total = whole.get("total_count").and_then(Value::as_u64);
    // Forgejo answers some of these lists bare.
    let list = if whole.is_array() {
        whole
    } else {
        whole[member].take()
    };
    let items = serde_path_to_error::deserialize::<_, Option<Vec<T>>>(list).map_err(|error| {
        subject
            .error(ErrorKind::Decode, answer.status)
            .saying(format!("member `{member}{}`", error.path()))
            .because(error.into_inner())
    })?;
    Ok((items.unwrap_or_default(), total))
}

fn looks_like_json(body: &[u8]) -> bool {
    let mut stream =
        serde_json::Deserializer::from_slice(body).into_iter::<serde::de::IgnoredAny>();
    matches!(stream.next(), Some(Ok(_)))
}

/// The body of an error, in all the shapes it has.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ErrorBody {
    pub(crate) message: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) errors: Option<Vec<String>>,
    pub(crate) code: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use http::HeaderMap;
    use serde::Deserialize;

    use super::{Answer, Subject, accept, decode, decode_wrapped};
    use crate::error::ErrorKind;
    use crate::request::Verb;

    fn subject() -> Subject {
        let address = "https://forge.internal/api/v1/x".to_owned();
        Subject {
            title: "get x".to_owned(),
            verb: Verb::Get,
            address,
        }
    }

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        }
    }

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[expect(dead_code, reason = "only its failure to decode is looked at")]
        size: u64,
    }

    #[test]
    fn a_failed_decode_names_the_member_and_keeps_the_cause() {
        let error =
            decode::<Vec<Sample>>(&subject(), &answer(200, r#"[{"size":"x"}]"#)).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::Decode);
        assert_eq!(error.message(), Some("member `[0].size`"));
        assert!(error.source().unwrap().to_string().contains("invalid type"));
    }

    #[test]
    fn a_page_instead_of_json_is_no_gitea() {
        let error = decode::<Sample>(&subject(), &answer(200, "<html>login</html>")).unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NotGitea);
    }

    #[test]
    fn a_wrapped_list_is_unwrapped_and_null_is_empty() {
        let body = r#"{"runs":[{"size":1}],"total_count":7}"#;
        let (items, total) =
            decode_wrapped::<Sample>(&subject(), &answer(200, body), "runs").unwrap();
        assert_eq!((items.len(), total), (1, Some(7)));
        let (items, total) =
            decode_wrapped::<Sample>(&subject(), &answer(200, r#"{"runs":null}"#), "runs").unwrap();
        assert_eq!((items.len(), total), (0, None));
    }

    #[test]
    fn the_reason_is_found_where_the_message_is_an_inner_name() {
        let body = r#"{"message":"GetUserByName","url":"x","errors":["user redirect does not exist [name: x]"]}"#;
        let error = accept(&subject(), answer(404, body)).unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(
            error.message(),
            Some("user redirect does not exist [name: x]")
        );
        assert_eq!(error.status(), Some(404));
    }
}
