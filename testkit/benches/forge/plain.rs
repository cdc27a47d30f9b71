//! What a forge is compared with: a server that answers one JSON, and `git http-backend` behind a server.

use std::convert::Infallible;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use crate::play;

type Answer = Response<Full<Bytes>>;

/// Answers `bare.json` to everything.
pub(crate) fn serve_bare(folder: &Path) {
    let body = Bytes::from(std::fs::read(folder.join("bare.json")).unwrap());
    serve(
        &folder.join("bare.ready"),
        move |request: Request<Incoming>| {
            let body = body.clone();
            async move {
                // What was sent is read, as any server must.
                let _ = request.into_body().collect().await;
                let answer =
                    Response::builder().header("content-type", "application/json;charset=utf-8");
                answer.body(Full::new(body)).unwrap()
            }
        },
    );
}

/// Hands every request to `git http-backend`.
pub(crate) fn serve_backend(folder: &Path) {
    let root = Arc::new(folder.join("backend"));
    serve(
        &folder.join("backend.ready"),
        move |request: Request<Incoming>| {
            let root = Arc::clone(&root);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                tokio::task::spawn_blocking(move || backend(&root, &head, &body))
                    .await
                    .unwrap()
            }
        },
    );
}

fn serve<F, Fut>(ready: &Path, answer: F)
where
    F: Fn(Request<Incoming>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        play::announce(ready, &format!("http://{}", listener.local_addr().unwrap()));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let service = service_fn(|request| {
                    let answer = answer(request);
                    async move { Ok::<_, Infallible>(answer.await) }
                });
                let talk = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service);
                // How a connection ends is the caller's affair.
                let _ = talk.await;
            });
        }
    });
}

/// One request as CGI asks for it.
fn backend(root: &PathBuf, head: &http::request::Parts, body: &[u8]) -> Answer {
    let header = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let mut child = play::program("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("REMOTE_USER", "bench")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let done = std::thread::scope(|scope| {
        // Git may have read enough before the end.
        scope.spawn(move || drop(stdin.write_all(body)));
        child.wait_with_output().unwrap()
    });
    let end = done
        .stdout
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let mut answer = Response::builder();
    for line in String::from_utf8_lossy(&done.stdout[..end]).lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => answer = answer.status(status[..3].parse::<u16>().unwrap()),
            Some((name, value)) => answer = answer.header(name, value),
            None => {}
        }
    }
    answer
        .body(Full::new(Bytes::from(done.stdout[end + 4..].to_vec())))
        .unwrap()
}
