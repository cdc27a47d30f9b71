//! What answers become.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Answer, Nothing, check, classify, decode, refusal};
use crate::api;
use crate::error::{Delivery, ErrorKind};
use crate::golden;
use crate::request::Request;
use crate::wire::Params;

fn answer(status: u16, reason: &str, body: &str) -> Answer {
    Answer {
        status,
        reason: reason.to_owned(),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn request() -> Request {
    let mut params = Params::default();
    params.set("vmid", 105);
    params.set_secret("password", "canary");
    Request::to(&api::CREATE_CONTAINER, &[&"pve1"], params)
}

#[test]
fn every_recorded_refusal_is_classified() {
    let mut lines = BTreeSet::new();
    for recorded in golden::answers() {
        if recorded.answer.status < 400 {
            continue;
        }
        let refusal = refusal(&recorded.answer);
        let params: Vec<&str> = refusal.params.keys().map(String::as_str).collect();
        let message = refusal.message.replace('\n', " ");
        assert!(!message.is_empty(), "{}", recorded.call);
        lines.insert(format!(
            "{:?} {} {message} {}",
            refusal.kind,
            refusal.status,
            params.join(",")
        ));
    }
    let lines: Vec<String> = lines.into_iter().collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn every_recorded_exit_status_is_classified() {
    let lines: Vec<String> = golden::exit_statuses()
        .iter()
        .map(|status| {
            format!(
                "{:?} {status}",
                classify(500, status, &std::collections::BTreeMap::new())
            )
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn texts_that_no_story_holds_are_classified_too() {
    for (status, message, kind) in [
        (500, "CT is locked (backup)", ErrorKind::Locked),
        (500, "cluster not ready - no quorum?", ErrorKind::NoQuorum),
        (
            500,
            "error with cfs lock 'file-user_cfg': no quorum!",
            ErrorKind::NoQuorum,
        ),
        (
            500,
            "can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout",
            ErrorKind::LockTimeout,
        ),
        (
            500,
            "cfs-lock 'storage-local' error: got lock request timeout",
            ErrorKind::LockTimeout,
        ),
        (
            500,
            "hostname lookup 'nosuch' failed - failed to get address info for: nosuch: Name or service not known",
            ErrorKind::UnknownNode,
        ),
        (
            500,
            "refusing to override existing file '/var/lib/vz/template/cache/a.tar.zst'",
            ErrorKind::AlreadyExists,
        ),
        (
            500,
            "got no worker upid - start worker failed",
            ErrorKind::Server,
        ),
        (
            403,
            "Permission check failed (configuring device passthrough is only allowed for root@pam)",
            ErrorKind::RootOnly,
        ),
        (502, "Bad Gateway", ErrorKind::Gateway),
        (595, "Connection refused", ErrorKind::Gateway),
        (596, "certificate verify failed", ErrorKind::Gateway),
        (500, "something new", ErrorKind::Server),
    ] {
        assert_eq!(
            classify(status, message, &std::collections::BTreeMap::new()),
            kind,
            "{message}"
        );
    }
}

#[test]
fn the_message_is_the_bodys_or_else_the_reason_phrase() {
    let both = answer(500, "first", r#"{"data":null,"message":"first\nsecond\n"}"#);
    assert_eq!(refusal(&both).message, "first\nsecond");
    for body in [
        "",
        r#"{"data":null}"#,
        r#"{"data":null,"message":"\n"}"#,
        "<html>oops</html>",
    ] {
        assert_eq!(
            refusal(&answer(401, "No ticket", body)).message,
            "No ticket",
            "{body}"
        );
    }
    assert_eq!(
        refusal(&answer(502, "Bad Gateway", "upstream is down\nmore")).message,
        "upstream is down"
    );
    assert_eq!(refusal(&answer(500, "", "")).message, "no reason was given");
}

#[test]
fn refused_parameters_are_all_told_on_one_line() {
    let refused = answer(
        400,
        "Parameter verification failed.",
        r#"{"data":null,"errors":{"memory":"value must have a minimum value of 16","net0":"invalid format - format error\nnet0.foo: property is not defined\n"},"message":"Parameter verification failed.\n"}"#,
    );
    let error = check(&request(), &refused).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
    assert_eq!(error.parameters().len(), 2);
    assert_eq!(
        error.to_string(),
        "creating container `105` on node `pve1`: Parameter verification failed. (400); \
         `memory`: value must have a minimum value of 16; \
         `net0`: invalid format - format error net0.foo: property is not defined"
    );
}

#[test]
fn secrets_that_the_server_repeats_are_not_told() {
    let body = r#"{"data":null,"errors":{"password":"got 'canary'"},"message":"bad canary\n"}"#;
    let error = check(&request(), &answer(400, "bad canary", body)).unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("canary"),
        "{error:?}"
    );
    assert_eq!(error.parameters()["password"], "got '[redacted]'");
}

#[test]
fn null_is_a_success_without_content() {
    let null = answer(200, "OK", r#"{"data":null}"#);
    assert_eq!(decode::<Nothing>(&request(), &null).unwrap(), Nothing);
    assert_eq!(decode::<Option<u32>>(&request(), &null).unwrap(), None);
}

#[test]
fn an_undecodable_answer_names_the_field_and_hides_the_content() {
    let odd = answer(
        200,
        "OK",
        r#"{"data":{"version":{"canary":1},"release":"8.4"}}"#,
    );
    let error = decode::<api::Version>(&request(), &odd).unwrap_err();
    assert_eq!(
        (error.kind(), error.delivery()),
        (ErrorKind::Unexpected, Delivery::Answered)
    );
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.starts_with("version: "), "{source}");
    let page =
        decode::<api::Version>(&request(), &answer(200, "OK", "<html>canary</html>")).unwrap_err();
    let told = format!("{page} {page:?}");
    assert!(!told.contains("canary"), "{told}");
}
