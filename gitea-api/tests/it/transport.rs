//! What is sent, how often, and where to.

use std::time::Duration;

use gitea_api::api::repos::CreateRepo;
use gitea_api::ids::RunId;
use gitea_api::request::{Request, Verb};
use gitea_api::server::Server;
use gitea_api::{Auth, Client, Delivery, Error, ErrorKind, RetryPolicy};
use serde_json::json;
use wiremock::matchers::{any, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TOKEN: &str = "0123456789abcdef0123456789abcdef01234567";

fn client(server: &MockServer) -> Client {
    let quick = RetryPolicy {
        first_wait: Duration::from_millis(1),
        ..RetryPolicy::default()
    };
    Client::builder(server.uri())
        .auth(Auth::token(TOKEN))
        .retry(quick)
        .build()
        .unwrap()
}

/// Answers with these statuses in turn, the last one for ever.
async fn answering(statuses: &[u16]) -> MockServer {
    let server = MockServer::start().await;
    for (index, status) in statuses.iter().enumerate() {
        let body = json!({"message": "told", "id": 7, "login": "x"});
        let mock =
            Mock::given(any()).respond_with(ResponseTemplate::new(*status).set_body_json(body));
        let last = index + 1 == statuses.len();
        let mock = if last { mock } else { mock.up_to_n_times(1) };
        mock.with_priority(u8::try_from(index + 1).unwrap())
            .mount(&server)
            .await;
    }
    server
}

async fn count(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

#[track_caller]
fn is(error: &Error, kind: &ErrorKind, delivery: Delivery) {
    assert_eq!(
        (error.kind(), error.delivery()),
        (kind, delivery),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_read_follows_a_redirect_on_its_own_origin() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(301).insert_header("location", "/api/v1/repos/o/new?a=1");
    Mock::given(path("/api/v1/repos/o/old"))
        .respond_with(moved)
        .mount(&server)
        .await;
    let there = ResponseTemplate::new(200).set_body_json(json!({"full_name": "o/new"}));
    Mock::given(path("/api/v1/repos/o/new"))
        .and(query_param("a", "1"))
        .respond_with(there)
        .mount(&server)
        .await;
    let repo = client(&server).repo("o", "old").get().await.unwrap();
    assert_eq!(repo.full_name, "o/new");
}

#[tokio::test]
async fn credentials_never_follow_to_another_origin() {
    let (server, other) = (MockServer::start().await, answering(&[200]).await);
    let location = format!("{}/api/v1/user", other.uri());
    let signed = format!("{location}?sig=hidden");
    let moved = ResponseTemplate::new(302).insert_header("location", &*signed);
    Mock::given(any()).respond_with(moved).mount(&server).await;
    let error = client(&server).me().get().await.unwrap_err();
    assert!(
        !format!("{error} {error:?}").contains("hidden"),
        "{error:?}"
    );
    is(&error, &ErrorKind::Moved { location }, Delivery::Answered);
    assert_eq!(count(&other).await, 0);
}

#[tokio::test]
async fn a_write_never_follows_a_redirect() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(307).insert_header("location", "/api/v1/repos/o/new");
    Mock::given(any()).respond_with(moved).mount(&server).await;
    let error = client(&server).repo("o", "old").delete().await.unwrap_err();
    let location = "/api/v1/repos/o/new".to_owned();
    is(&error, &ErrorKind::Moved { location }, Delivery::Answered);
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn redirects_in_a_circle_end() {
    let server = MockServer::start().await;
    let moved = ResponseTemplate::new(301).insert_header("location", "/api/v1/user");
    Mock::given(any()).respond_with(moved).mount(&server).await;
    let error = client(&server).me().get().await.unwrap_err();
    is(&error, &ErrorKind::LimitReached, Delivery::Answered);
    assert_eq!(count(&server).await, 6);
}

#[tokio::test]
async fn a_read_is_repeated_while_the_server_is_not_available() {
    let server = answering(&[503, 502, 200]).await;
    assert_eq!(client(&server).me().get().await.unwrap().login, "x");
    assert_eq!(count(&server).await, 3);
    let server = answering(&[504]).await;
    let error = client(&server).me().get().await.unwrap_err();
    is(
        &error,
        &ErrorKind::Unavailable { retry_after: None },
        Delivery::Answered,
    );
    assert_eq!(count(&server).await, 4, "four attempts and no more");
}

#[tokio::test]
async fn a_write_is_repeated_only_where_it_was_refused_at_the_door() {
    let server = answering(&[502, 201]).await;
    let error = client(&server)
        .me()
        .create_repo(&CreateRepo::new("r"))
        .await
        .unwrap_err();
    is(
        &error,
        &ErrorKind::Unavailable { retry_after: None },
        Delivery::Answered,
    );
    assert_eq!(count(&server).await, 1);
    let server = answering(&[429, 201]).await;
    client(&server)
        .me()
        .create_repo(&CreateRepo::new("r"))
        .await
        .unwrap();
    assert_eq!(count(&server).await, 2);
}

#[tokio::test]
async fn a_deletion_whose_answer_was_lost_is_done_when_the_thing_is_gone() {
    let server = answering(&[502, 404]).await;
    client(&server).repo("o", "r").delete().await.unwrap();
    let server = answering(&[404]).await;
    let error = client(&server).repo("o", "r").delete().await.unwrap_err();
    assert!(error.is_not_found(), "it was never there: {error}");
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    // Nobody listens there, and no other test is given this port.
    let client = Client::builder("http://127.0.0.1:1")
        .retry(RetryPolicy::never())
        .build();
    let error = client
        .unwrap()
        .me()
        .create_repo(&CreateRepo::new("r"))
        .await
        .unwrap_err();
    is(&error, &ErrorKind::Connect, Delivery::NotSent);
    assert!(error.is_retryable());
}

#[tokio::test]
async fn an_answer_that_does_not_come_leaves_it_open() {
    let server = MockServer::start().await;
    let slow = ResponseTemplate::new(201).set_delay(Duration::from_secs(30));
    Mock::given(any()).respond_with(slow).mount(&server).await;
    let client = Client::builder(server.uri())
        .timeout(Duration::from_millis(80))
        .build()
        .unwrap();
    let error = client
        .me()
        .create_repo(&CreateRepo::new("r"))
        .await
        .unwrap_err();
    is(&error, &ErrorKind::Timeout, Delivery::Unknown);
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn what_the_server_cannot_do_is_not_sent() {
    let server = MockServer::start().await;
    let client = Client::builder(server.uri())
        .assume(Server::parse("1.25.4").unwrap())
        .build();
    let actions = client.unwrap().repo("o", "r").actions();
    let error = actions.rerun(RunId::from(1)).await.unwrap_err();
    let (needs, have) = ("Gitea 1.26".to_owned(), "Gitea 1.25.4".to_owned());
    is(
        &error,
        &ErrorKind::Unsupported { needs, have },
        Delivery::NotSent,
    );
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn what_a_scope_lacks_is_not_sent() {
    let server = answering(&[200]).await;
    let client = client(&server).admin().actions();
    let error = client.ensure_variable("K", "v").await.unwrap_err();
    is(&error, &ErrorKind::InvalidRequest, Delivery::NotSent);
    assert_eq!(error.message(), Some("the instance has no such call"));
    assert_eq!(count(&server).await, 0);
}

#[tokio::test]
async fn a_page_of_a_proxy_is_no_gitea() {
    let server = MockServer::start().await;
    let page = ResponseTemplate::new(200).set_body_raw("<html>install</html>", "text/html");
    Mock::given(any()).respond_with(page).mount(&server).await;
    let error = client(&server).probe().await.unwrap_err();
    is(&error, &ErrorKind::NotGitea, Delivery::Answered);
}

#[tokio::test]
async fn the_server_is_asked_once_for_all_clones() {
    let server = MockServer::start().await;
    let version = ResponseTemplate::new(200).set_body_json(json!({"version": "1.26.3"}));
    Mock::given(any())
        .respond_with(version)
        .mount(&server)
        .await;
    let client = client(&server);
    let other = client.with_auth(Auth::Anonymous);
    assert_eq!(client.probe().await.unwrap().version(), "1.26.3");
    assert_eq!(other.probe().await.unwrap().version(), "1.26.3");
    assert_eq!(count(&server).await, 1);
}

#[tokio::test]
async fn an_error_tells_no_secret() {
    let server = answering(&[403]).await;
    let request = Request::new(Verb::Get, "/user").query("access", "hidden-in-the-query");
    let error = client(&server).send_empty(request).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert!(!told.contains(TOKEN) && !told.contains("hidden"), "{told}");
    assert_eq!(error.url(), format!("{}/api/v1/user", server.uri()));
}

#[tokio::test]
async fn credentials_and_sudo_travel_as_headers() {
    let server = answering(&[200]).await;
    client(&server).sudo("somebody").me().get().await.unwrap();
    let request = &server.received_requests().await.unwrap()[0];
    assert_eq!(request.headers["authorization"], format!("token {TOKEN}"));
    assert_eq!(request.headers["sudo"], "somebody");
    assert_eq!(request.url.query(), None);
}

#[tokio::test]
async fn an_address_with_credentials_or_without_http_is_refused() {
    for address in [
        "http://user:pw@forge.internal",
        "ftp://forge.internal",
        "forge",
    ] {
        let error = Client::builder(address).build().unwrap_err();
        is(&error, &ErrorKind::InvalidRequest, Delivery::NotSent);
        assert!(!format!("{error:?}").contains("pw@"), "{error:?}");
    }
}
