//! Lists that come in pages.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::TryStreamExt as _;
use gitea_api::api::actions::runs::ListRuns;
use gitea_api::server::Server;
use gitea_api::{Client, ErrorKind};
use serde_json::{Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

fn number(request: &Request, name: &str) -> Option<u32> {
    request
        .url
        .query_pairs()
        .find(|(key, _)| key == name)?
        .1
        .parse()
        .ok()
}

async fn serving(
    answer: impl Fn(u32) -> ResponseTemplate + Send + Sync + 'static,
) -> (MockServer, Client) {
    let server = MockServer::start().await;
    let respond = move |request: &Request| answer(number(request, "page").unwrap_or(1));
    Mock::given(any())
        .respond_with(respond)
        .mount(&server)
        .await;
    let version = Server::parse("1.26.3").unwrap();
    let client = Client::builder(server.uri())
        .assume(version)
        .build()
        .unwrap();
    (server, client)
}

/// The items of a page: `size` each, `all` together.
fn items(page: u32, size: u32, all: u32) -> Value {
    let first = (page - 1) * size;
    (first..all.min(first + size))
        .map(|id| json!({"id": id, "login": format!("u{id}")}))
        .collect()
}

#[tokio::test]
async fn pages_are_counted_by_the_number_in_link_and_not_by_its_address() {
    let (server, client) = serving(|page| {
        let mut answer = ResponseTemplate::new(200)
            .set_body_json(items(page, 2, 5))
            .insert_header("x-total-count", "5");
        if page < 3 {
            let next = format!(
                "<https://root-url.example/api/v1/admin/users?limit=2&page={}>; rel=\"next\",\
                 <https://root-url.example/api/v1/admin/users?limit=2&page=3>; rel=\"last\"",
                page + 1
            );
            answer = answer.insert_header("link", &*next);
        } else {
            let prev = "<https://root-url.example/api/v1/admin/users?page=2>; rel=\"prev\"";
            answer = answer.insert_header("link", prev);
        }
        answer
    })
    .await;
    let users = client.admin().users().collect(100).await.unwrap();
    let logins: Vec<_> = users.iter().map(|user| &*user.login).collect();
    assert_eq!(logins, ["u0", "u1", "u2", "u3", "u4"]);
    let requests = server.received_requests().await.unwrap();
    let pages: Vec<_> = requests
        .iter()
        .filter_map(|request| number(request, "page"))
        .collect();
    assert_eq!(pages, [1, 2, 3]);
}

#[tokio::test]
async fn a_page_that_the_server_cut_is_not_the_last() {
    let (server, client) = serving(|page| {
        ResponseTemplate::new(200)
            .set_body_json(items(page, 3, 7))
            .insert_header("x-total-count", "7")
    })
    .await;
    let users = client
        .admin()
        .users()
        .page_size(50)
        .collect(100)
        .await
        .unwrap();
    assert_eq!(users.len(), 7);
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_total_that_counts_what_cannot_be_seen_ends_at_an_empty_page() {
    let (server, client) = serving(|page| {
        ResponseTemplate::new(200)
            .set_body_json(items(page, 2, 3))
            .insert_header("x-total-count", "900")
    })
    .await;
    assert_eq!(client.admin().users().collect(100).await.unwrap().len(), 3);
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_list_that_comes_whole_is_asked_for_once_and_without_a_page() {
    let body = json!([{"email": "a@forge.internal"}, {"email": "b@forge.internal"}]);
    let (server, client) =
        serving(move |_| ResponseTemplate::new(200).set_body_json(body.clone())).await;
    assert_eq!(client.me().emails().collect(100).await.unwrap().len(), 2);
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].url.query(), None);
}

#[tokio::test]
async fn null_is_an_empty_list() {
    let (_server, client) = serving(|_| {
        ResponseTemplate::new(200)
            .set_body_json(Value::Null)
            .insert_header("x-total-count", "0")
    })
    .await;
    assert!(
        client
            .repo("o", "r")
            .branches()
            .list()
            .collect(1)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn collecting_has_a_cap() {
    let (_server, client) = serving(|page| {
        ResponseTemplate::new(200)
            .set_body_json(items(page, 2, 1000))
            .insert_header("x-total-count", "1000")
    })
    .await;
    let error = client.admin().users().collect(5).await.unwrap_err();
    assert_eq!(error.kind(), &ErrorKind::LimitReached);
    assert_eq!(error.message(), Some("there are more than 5"));
}

#[tokio::test]
async fn what_shifts_to_the_next_page_meanwhile_is_not_given_twice() {
    let asked = AtomicU32::new(0);
    // Before each page but the first, one new run appears in front of all others.
    let (_server, client) = serving(move |page| {
        let new = i64::from(asked.fetch_add(1, Ordering::Relaxed));
        let all: Vec<_> = (1 - new..=6).map(|age| json!({"id": 7 - age})).collect();
        let first = (page as usize - 1) * 2;
        let runs: Vec<_> = all.iter().skip(first).take(2).collect();
        ResponseTemplate::new(200)
            .set_body_json(json!({"workflow_runs": runs, "total_count": all.len()}))
    })
    .await;
    let runs = client
        .repo("o", "r")
        .actions()
        .runs(&ListRuns::new())
        .page_size(2)
        .stream();
    let ids: Vec<_> = runs.map_ok(|run| run.id.get()).try_collect().await.unwrap();
    assert_eq!(ids, [6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn one_page_tells_its_total() {
    let (_server, client) = serving(|page| {
        ResponseTemplate::new(200)
            .set_body_json(items(page, 2, 5))
            .insert_header("x-total-count", "5")
    })
    .await;
    let page = client.admin().users().page_size(2).page(2).await.unwrap();
    assert_eq!((page.number, page.total, page.items.len()), (2, Some(5), 2));
}
