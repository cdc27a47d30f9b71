//! What `git upload-pack` and the advertisements of both services answer.

use std::io::{self, Read};
use std::process::{Child, ChildStdout};

use flate2::read::GzDecoder;

use super::packet::{FLUSH, line};
use super::{Guest, Service};
use crate::gitea::Gitea;
use crate::gitea::call::Call;
use crate::gitea::git::{Place, program};
use crate::gitea::reply::{Body, Reply};

/// The list of references with which every conversation begins.
pub(super) fn advertise(
    gitea: &Gitea,
    call: &Call,
    guest: &Guest,
    service: Service,
) -> Result<Reply, Reply> {
    let git = gitea.git();
    let _place = git.place().ok_or_else(busy)?;
    let protocol = protocol_of(call);
    let listed = program::output(
        &git.folder(guest.repo),
        &[service.name(), "--stateless-rpc", "--advertise-refs", "."],
        protocol.as_deref(),
    );
    let listed = listed.map_err(|_| Reply::error(500, ""))?;
    let mut body = line(format!("# service=git-{}\n", service.name()).as_bytes());
    body.extend_from_slice(FLUSH);
    body.extend_from_slice(&listed.stdout);
    let kind = match service {
        Service::UploadPack => "application/x-git-upload-pack-advertisement",
        Service::ReceivePack => "application/x-git-receive-pack-advertisement",
    };
    Ok(uncached(Reply::bytes(200, kind, body)))
}

/// The version of the protocol that the client asks for, if it is one of git's words.
fn protocol_of(call: &Call) -> Option<String> {
    let asked = call.header("git-protocol")?;
    let plain = asked.len() < 256
        && asked
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "=:._-".contains(letter));
    plain.then(|| asked.to_owned())
}

pub(super) fn uncached(reply: Reply) -> Reply {
    reply
        .with_header("cache-control", "no-cache, max-age=0, must-revalidate")
        .with_header("expires", "Fri, 01 Jan 1980 00:00:00 GMT")
        .with_header("pragma", "no-cache")
}

pub(super) fn busy() -> Reply {
    Reply::text(503, "too many git processes\n").with_header("retry-after", "1")
}

/// The body of a request, inflated if need be.
pub(super) fn body_of(call: &Call, service: Service) -> Result<Box<dyn Read + Send>, Reply> {
    let kind = format!("application/x-git-{}-request", service.name());
    if call.header("content-type") != Some(kind.as_str()) {
        return Err(Reply::empty(400));
    }
    let raw: Box<dyn Read + Send> = match &call.upload {
        Some(upload) => Box::new(upload.reader().map_err(|_| Reply::error(500, ""))?),
        None => Box::new(io::Cursor::new(call.body.clone())),
    };
    if call.header("content-encoding") != Some("gzip") {
        return Ok(raw);
    }
    let mut inflated = GzDecoder::new(raw);
    if inflated.header().is_some() {
        return Ok(Box::new(inflated));
    }
    // Only reading tells whether this is gzip at all.
    let mut first = [0; 1];
    match inflated.read(&mut first) {
        Ok(read) => Ok(Box::new(
            io::Cursor::new(first[..read].to_vec()).chain(inflated),
        )),
        Err(_) => Err(Reply::empty(400)),
    }
}

/// One exchange of a fetch.
pub(super) fn exchange(gitea: &Gitea, call: &Call, guest: &Guest) -> Result<Reply, Reply> {
    let body = body_of(call, Service::UploadPack)?;
    let git = gitea.git();
    let place = git.place().ok_or_else(busy)?;
    let protocol = protocol_of(call);
    let child = program::conversation(
        &git.folder(guest.repo),
        &["upload-pack", "--stateless-rpc", "."],
        protocol.as_deref(),
    );
    let mut child = child.map_err(|_| Reply::error(500, ""))?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(Reply::error(500, ""));
    };
    let feeding = std::thread::Builder::new()
        .name("upload-pack".into())
        .spawn(move || {
            let mut body = body;
            // Git may have heard enough before the end.
            let _ = io::copy(&mut body, &mut input);
        });
    feeding.map_err(|_| Reply::error(500, ""))?;
    let stream = Box::new(Answering {
        child,
        output,
        _place: place,
    });
    let reply = Reply {
        status: 200,
        headers: Vec::new(),
        body: Body::Stream("application/x-git-upload-pack-result", stream),
    };
    Ok(uncached(reply))
}

/// What git answers while it lasts; dropping it ends git.
struct Answering {
    child: Child,
    output: ChildStdout,
    _place: Place,
}

impl Read for Answering {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.output.read(buffer)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // It has usually ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
