//! What reads a stranger's bytes, each as a function that must not panic.
//!
//! The fuzz targets call these, and so does a test on stable Rust, over the corpus.

use std::sync::{Arc, OnceLock};

use testkit::gitea::clock::Clock;
use testkit::gitea::connect::{
    Codec, DeclareRequest, FetchTaskRequest, FromProtoJson, RegisterRequest, UpdateLogRequest,
    UpdateTaskRequest, decode,
};
use testkit::gitea::random::Random;
use testkit::gitea::smart::packet;
use testkit::gitea::workflow::{Contexts, Event, PushedRef, Workflow, plan_run};
use testkit::gitea::{Call, Git, Gitea, Settings, World};

/// What is fuzzed; each has its folder in `corpus/`.
pub(crate) const PARSERS: [&str; 4] = ["pkt_line", "protobuf", "workflow", "paths"];

/// Gives one input to one parser.
pub(crate) fn parse(parser: &str, data: &[u8]) {
    match parser {
        "pkt_line" => pkt_line(data),
        "protobuf" => {
            message::<RegisterRequest>(data);
            message::<DeclareRequest>(data);
            message::<FetchTaskRequest>(data);
            message::<UpdateTaskRequest>(data);
            message::<UpdateLogRequest>(data);
        }
        "workflow" => workflow(&String::from_utf8_lossy(data)),
        "paths" => path(&String::from_utf8_lossy(data)),
        _ => panic!("there is no parser `{parser}`"),
    }
}

/// Every line is shorter than what it was taken from, and reads the same when it is framed again.
fn pkt_line(data: &[u8]) {
    let mut rest = data;
    while let Some((line, behind)) = packet::split(rest) {
        assert!(behind.len() < rest.len(), "a line takes something");
        if let Some(payload) = line.filter(|payload| payload.len() < 65_516) {
            let framed = packet::line(payload);
            assert_eq!(packet::split(&framed), Some((Some(payload), &[][..])));
        }
        rest = behind;
    }
}

/// What is read from protobuf reads the same after it was written; JSON must not panic either.
fn message<M>(data: &[u8])
where
    M: prost::Message + PartialEq + FromProtoJson,
{
    // What is no such message is refused, which is all that is asked of it here.
    let _ = decode::<M>(Codec::Json, data);
    if let Ok(read) = decode::<M>(Codec::Proto, data) {
        let again = decode::<M>(Codec::Proto, &read.encode_to_vec());
        assert!(
            again.is_ok_and(|again| again == read),
            "written and read again"
        );
    }
}

/// A file that is a workflow has a plan whose payloads are workflows again.
fn workflow(text: &str) {
    let Ok(workflow) = Workflow::parse(text) else {
        return;
    };
    let event = Event::Push(PushedRef {
        name: "refs/heads/main",
        changed: &[],
    });
    // Whether it starts does not matter here, only that somebody can tell.
    let _ = workflow.triggers.start_on(&event);
    let Ok(plan) = plan_run(&workflow, &Contexts::default()) else {
        return;
    };
    for job in plan.jobs {
        let again = Workflow::parse(&job.payload);
        let again = again.unwrap_or_else(|error| panic!("{error} in\n{}", job.payload));
        assert_eq!(again.jobs.len(), 1, "{}", job.payload);
    }
}

/// Whatever is asked for, there is an answer, and it is no server error.
fn path(text: &str) {
    static GITEA: OnceLock<Arc<Gitea>> = OnceLock::new();
    let gitea = GITEA.get_or_init(|| {
        let clock = Clock::Frozen { at: 0 };
        let world = World::new(Settings::default(), clock, Random::seeded(1));
        Gitea::new(world, Git::new("/nonexistent"), None)
    });
    for method in ["GET", "POST", "DELETE"] {
        let reply = gitea.handle(Call::new(method, text)).reply;
        assert!(
            (200..500).contains(&reply.status),
            "{method} {text}: {}",
            reply.status
        );
    }
}
