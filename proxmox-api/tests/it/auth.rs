//! Logging in, renewing, second factors.

use std::time::Duration;

use proxmox_api::api::UpdateContainer;
use proxmox_api::{Client, ErrorKind, SecondFactor, Secret, Ticket};

use crate::script::{Reply, Seen, Server};

const VERSION: &str = r#"{"version":"8.4.21","release":"8.4"}"#;

fn ticket(number: usize) -> Reply {
    Reply::data(&format!(
        r#"{{"username":"root@pam","ticket":"PVE:root@pam:{number}::sig","CSRFPreventionToken":"csrf-{number}"}}"#
    ))
}

fn is_login(seen: &Seen) -> bool {
    seen.call.ends_with("/access/ticket")
}

fn logins(server: &Server) -> usize {
    server.seen().iter().filter(|seen| is_login(seen)).count()
}

/// Tickets for those who log in, and `data` for everything else.
async fn generous(data: &'static str) -> Server {
    Server::plain(move |seen, before| {
        if is_login(seen) {
            ticket(before)
        } else {
            Reply::data(data)
        }
    })
    .await
}

fn with_password(server: &Server) -> Client {
    server
        .builder()
        .password("root@pam".parse().unwrap(), "canary")
        .build()
        .unwrap()
}

async fn change(client: &Client) -> Result<(), proxmox_api::Error> {
    let container = client
        .node("pve1".parse().unwrap())
        .container(105.try_into().unwrap());
    container.update(&UpdateContainer::new().onboot(true)).await
}

#[tokio::test]
async fn a_password_becomes_a_ticket_when_it_is_needed() {
    let server = generous(VERSION).await;
    let client = with_password(&server);
    client.version().await.unwrap();
    change(&client).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3, "one login for both");
    assert_eq!(seen[0].form(), "username=root%40pam&password=canary");
    assert_eq!(seen[0].header("cookie"), None);
    assert_eq!(
        seen[1].header("cookie"),
        Some("PVEAuthCookie=PVE%3Aroot%40pam%3A0%3A%3Asig")
    );
    assert_eq!(seen[1].header("csrfpreventiontoken"), None);
    assert_eq!(seen[2].header("csrfpreventiontoken"), Some("csrf-0"));
}

#[tokio::test]
async fn clones_share_one_login() {
    let server = generous(VERSION).await;
    let client = with_password(&server);
    let ask = |client: Client| tokio::spawn(async move { client.version().await.map(|_| ()) });
    let asked: Vec<_> = (0..5).map(|_| ask(client.clone())).collect();
    for one in asked {
        one.await.unwrap().unwrap();
    }
    assert_eq!(logins(&server), 1);
}

#[tokio::test]
async fn an_old_ticket_is_renewed_with_itself() {
    let server = generous(VERSION).await;
    let builder = server
        .builder()
        .password("root@pam".parse().unwrap(), "canary");
    let client = builder.renew_after(Duration::ZERO).build().unwrap();
    client.version().await.unwrap();
    client.version().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(
        seen[2].form(),
        "username=root%40pam&password=PVE%3Aroot%40pam%3A0%3A%3Asig"
    );
    assert_eq!(
        seen[3].header("cookie"),
        Some("PVEAuthCookie=PVE%3Aroot%40pam%3A2%3A%3Asig")
    );
}

#[tokio::test]
async fn a_refused_ticket_is_replaced_once() {
    let refusal = || Reply::reason(401, "permission denied - invalid PVE ticket");
    let server = Server::plain(move |seen, before| match (is_login(seen), before) {
        (true, _) => ticket(before),
        (false, 1) => refusal(),
        (false, _) => Reply::data("null"),
    })
    .await;
    change(&with_password(&server)).await.unwrap();
    assert_eq!((logins(&server), server.calls().len()), (2, 4));
}

#[tokio::test]
async fn a_ticket_that_stays_refused_is_an_error() {
    let server = Server::plain(|seen, before| {
        if is_login(seen) {
            ticket(before)
        } else {
            Reply::reason(401, "invalid PVE ticket")
        }
    })
    .await;
    let error = with_password(&server).version().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!((logins(&server), server.calls().len()), (2, 4));
}

#[tokio::test]
async fn a_refused_token_is_never_tried_again() {
    let server = Server::always(|| Reply::reason(401, "Authentication failed!")).await;
    let error = server.client().version().await.unwrap_err();
    assert!(error.is_unauthorized());
    assert_eq!(
        error.to_string(),
        "reading the server's version: Authentication failed! (401)"
    );
    assert_eq!(server.calls().len(), 1);
}

const CHALLENGE: &str =
    r#"{"username":"a@pve","ticket":"PVE:!tfa!{\"totp\"%3Atrue}:6B::sig","NeedTFA":1}"#;

#[tokio::test]
async fn a_second_factor_is_asked_for_when_the_server_wants_one() {
    let server = Server::plain(|seen, before| match (is_login(seen), before) {
        (true, 0) => Reply::data(CHALLENGE),
        (true, _) => ticket(before),
        (false, _) => Reply::data(VERSION),
    })
    .await;
    let user = "a@pve".parse().unwrap();
    let client = server
        .builder()
        .password_and_factor(user, "canary", |challenge| {
            challenge
                .accepts_totp()
                .then(|| SecondFactor::Totp(Secret::new("123456")))
        });
    client.build().unwrap().version().await.unwrap();
    let answer = server.seen()[1].form();
    assert_eq!(
        answer,
        "username=a%40pve&password=totp%3A123456\
         &tfa-challenge=PVE%3A%21tfa%21%7B%22totp%22%253Atrue%7D%3A6B%3A%3Asig"
    );
}

#[tokio::test]
async fn a_challenge_without_an_answer_is_an_error_that_can_be_answered() {
    let server = Server::plain(|_, before| match before {
        0 => Reply::data(CHALLENGE),
        _ => ticket(before),
    })
    .await;
    let access = server.builder().build().unwrap().access();
    let user = "a@pve".parse().unwrap();
    let error = access
        .log_in(&user, &Secret::new("canary"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SecondFactor);
    assert_eq!(
        error.to_string(),
        "logging in as `a@pve`: `a@pve` must give a second factor (totp)"
    );
    assert!(!format!("{error:?}").contains("canary") && !format!("{error:?}").contains("sig"));
    let factor = SecondFactor::Totp(Secret::new("654321"));
    let ticket = access
        .answer_challenge(error.challenge().unwrap(), &factor)
        .await
        .unwrap();
    assert_eq!(ticket.user().as_str(), "root@pam");
}

#[tokio::test]
async fn a_given_ticket_is_used_and_renewed() {
    let server = generous(VERSION).await;
    let given = Ticket::new("root@pam".parse().unwrap(), "PVE:given", "csrf");
    let client = server.builder().ticket(given.clone()).build().unwrap();
    client.version().await.unwrap();
    assert_eq!(
        server.seen()[0].header("cookie"),
        Some("PVEAuthCookie=PVE%3Agiven")
    );
    let client = server
        .builder()
        .ticket(given)
        .renew_after(Duration::ZERO)
        .build()
        .unwrap();
    client.version().await.unwrap();
    assert_eq!(
        server.seen()[1].form(),
        "username=root%40pam&password=PVE%3Agiven"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_without_it() {
    let server = Server::always(|| Reply::error(401, "authentication failure")).await;
    let client = with_password(&server);
    let error = client.version().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "logging in as `root@pam`: authentication failure (401)"
    );
    assert!(!format!("{error:?} {client:?}").contains("canary"));
}
