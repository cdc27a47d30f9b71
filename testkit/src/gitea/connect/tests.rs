//! Both codecs, byte by byte and member by member.

use prost::Message as _;
use serde_json::{Value, json};

use super::*;

type Headers = Vec<(&'static str, &'static str)>;

fn headers(pairs: &[(&'static str, &'static str)]) -> Headers {
    pairs.to_vec()
}

fn opened(headers: &Headers, body: &[u8]) -> Result<Envelope, Refusal> {
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| *value)
    };
    open(header, body)
}

fn json_of(message: &impl ToProtoJson) -> Value {
    message.to_json()
}

#[test]
fn a_ping_is_the_same_in_both_codecs() {
    let answer = PingResponse {
        data: "Hello, gold!".to_owned(),
    };
    assert_eq!(encode(Codec::Proto, &answer), b"\n\x0cHello, gold!");
    assert_eq!(encode(Codec::Json, &answer), br#"{"data":"Hello, gold!"}"#);
    let asked: PingRequest = decode(Codec::Proto, b"\n\x04gold").expect("a ping");
    assert_eq!(asked.data, "gold");
    let nothing: PingRequest = decode(Codec::Proto, b"").expect("an empty message");
    assert_eq!(nothing, PingRequest::default());
}

#[test]
fn what_a_message_does_not_have_is_passed_over() {
    let json = br#"{"name": "r", "bogus": [1], "labels": ["a"], "agent_labels": null}"#;
    let read: RegisterRequest = decode(Codec::Json, json).expect("a request");
    assert_eq!((read.name.as_str(), read.labels.len()), ("r", 1));
    let mut wire = read.encode_to_vec();
    wire.extend(b"\xba\x3e\x01x"); // field 999
    let again: RegisterRequest = decode(Codec::Proto, &wire).expect("a request");
    assert_eq!(again, read);
}

#[test]
fn members_of_another_type_are_refused() {
    for json in [
        r#"{"data": 5}"#,
        r#"{"data":"#,
        "",
        "[]",
        "5",
        r#"{"data": {}}"#,
    ] {
        decode::<PingRequest>(Codec::Json, json.as_bytes()).expect_err(json);
    }
    decode::<FetchTaskRequest>(Codec::Json, br#"{"tasksVersion": "x"}"#).expect_err("a word");
    decode::<PingRequest>(Codec::Proto, b"\n\x7fshort").expect_err("cut off");
}

#[test]
fn numbers_of_64_bits_are_texts_and_defaults_are_left_out() {
    for json in [
        r#"{"tasksVersion": "7"}"#,
        r#"{"tasksVersion": 7}"#,
        r#"{"tasks_version": 7.0}"#,
    ] {
        let read: FetchTaskRequest = decode(Codec::Json, json.as_bytes()).expect(json);
        assert_eq!(read.tasks_version, 7, "{json}");
    }
    assert_eq!(
        json_of(&FetchTaskResponse {
            task: None,
            tasks_version: 1
        }),
        json!({"tasksVersion": "1"})
    );
    let state = TaskState {
        id: 9,
        ..TaskState::default()
    };
    let heartbeat = UpdateTaskResponse {
        state: Some(state),
        sent_outputs: Vec::new(),
    };
    assert_eq!(json_of(&heartbeat), json!({"state": {"id": "9"}}));
}

#[test]
fn a_task_is_complete_in_both_codecs() {
    let context = json!({"run_id": "1", "event": {"n": 1.5, "list": [1, null, true]}});
    let task = Task {
        id: 5,
        workflow_payload: Some(b"on: push".to_vec()),
        context: Some(context.as_object().expect("an object").into()),
        secrets: [("A".to_owned(), "b".to_owned())].into(),
        needs: [(
            "x".to_owned(),
            TaskNeed {
                result: Outcome::Success as i32,
                ..TaskNeed::default()
            },
        )]
        .into(),
        vars: [].into(),
    };
    let response = FetchTaskResponse {
        task: Some(task),
        tasks_version: 3,
    };
    let again = FetchTaskResponse::decode(response.encode_to_vec().as_slice()).expect("protobuf");
    assert_eq!(again, response);
    assert_eq!(
        json_of(&again),
        json!({
            "task": {
                "id": "5", "workflowPayload": "b246IHB1c2g=", "context": context,
                "secrets": {"A": "b"}, "needs": {"x": {"result": "RESULT_SUCCESS"}},
            },
            "tasksVersion": "3",
        })
    );
}

#[test]
fn a_state_is_read_with_its_times_and_steps() {
    let json = br#"{"state": {"id": "4", "result": "RESULT_FAILURE", "startedAt":
        "2026-01-01T00:00:00.5Z", "steps": [{"id": "1", "result": 4, "logLength": "2"}]},
        "outputs": {"a": "b"}}"#;
    let read: UpdateTaskRequest = decode(Codec::Json, json).expect("a request");
    let state = read.state.as_ref().expect("a state");
    assert_eq!(state.result, Outcome::Failure as i32);
    let time = Timestamp {
        seconds: 1_767_225_600,
        nanos: 500_000_000,
    };
    assert_eq!(state.started_at, Some(time));
    assert_eq!((state.steps[0].result, state.steps[0].log_length), (4, 2));
    let again = UpdateTaskRequest::decode(read.encode_to_vec().as_slice()).expect("protobuf");
    assert_eq!(again, read);
    assert_eq!(json_of(state)["startedAt"], "2026-01-01T00:00:00.500Z");
}

/// Headers; the text of the refusal, or the codec.
#[test]
fn an_envelope_is_looked_at_before_the_message() {
    let json = ("content-type", "application/json");
    let cases = [
        (headers(&[json]), Ok(Codec::Json)),
        (
            headers(&[("content-type", "application/json; charset=utf-8")]),
            Ok(Codec::Json),
        ),
        (
            headers(&[("content-type", "application/proto")]),
            Ok(Codec::Proto),
        ),
        (headers(&[("content-type", "text/plain")]), Err("415")),
        (headers(&[]), Err("415")),
        (
            headers(&[json, ("connect-protocol-version", "1")]),
            Ok(Codec::Json),
        ),
        (
            headers(&[json, ("connect-protocol-version", "2")]),
            Err("Connect-Protocol-Version must be \"1\": got \"2\""),
        ),
        (
            headers(&[json, ("connect-timeout-ms", "soon")]),
            Err("parse timeout: invalid syntax: soon"),
        ),
        (
            headers(&[json, ("content-encoding", "br")]),
            Err("unknown compression \"br\""),
        ),
    ];
    for (headers, expected) in cases {
        let told = match &opened(&headers, b"{}") {
            Ok(envelope) => Ok(envelope.codec),
            Err(Refusal::UnsupportedMediaType) => Err("415".to_owned()),
            Err(Refusal::Connect(error)) => {
                let body: Value = serde_json::from_slice(&error.body()).expect("JSON");
                Err(body["message"].as_str().unwrap_or_default().to_owned())
            }
        };
        assert_eq!(told, expected.map_err(str::to_owned), "{headers:?}");
    }
}

#[test]
fn long_answers_are_compressed_for_those_who_ask() {
    let asks = headers(&[
        ("content-type", "application/json"),
        ("accept-encoding", "gzip"),
    ]);
    let envelope = opened(&asks, b"{}").expect("an envelope");
    assert!(!seal(&envelope, vec![b'x'; 1024]).gzip);
    let long = seal(&envelope, vec![b'x'; 1025]);
    assert!(long.gzip && long.bytes.len() < 100);
    let mut gzipped = asks;
    gzipped.push(("content-encoding", "gzip"));
    assert_eq!(
        opened(&gzipped, &long.bytes).expect("an envelope").message,
        vec![b'x'; 1025]
    );
    assert!(opened(&gzipped, b"no gzip").is_err());
}
