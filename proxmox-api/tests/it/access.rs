//! Users, tokens, access control, permissions.

use proxmox_api::ErrorKind;
use proxmox_api::api::{CreateToken, CreateUser, SetAcl};

use crate::script::{Reply, Server};

#[tokio::test]
async fn permissions_are_read_by_path() {
    let paths = r#"{"/vms/9209":{"VM.Audit":1,"VM.Console":0},"/pool/a":{}}"#;
    let server = Server::always(|| Reply::data(paths)).await;
    let permissions = server
        .client()
        .access()
        .permissions_on("/vms/9209")
        .await
        .unwrap();
    assert!(permissions.has("/vms/9209", "VM.Audit") && permissions.has("/vms/9209", "VM.Console"));
    assert!(!permissions.has("/pool/a", "Pool.Audit") && !permissions.has("/", "VM.Audit"));
    assert_eq!(permissions.iter().count(), 2);
    assert_eq!(
        server.calls(),
        ["GET /api2/json/access/permissions?path=%2Fvms%2F9209"]
    );
}

#[tokio::test]
async fn a_new_token_can_be_used_and_not_be_printed() {
    let made = r#"{"full-tokenid":"gold@pve!t1","info":{"privsep":"0"},"value":"canary-secret"}"#;
    let server = Server::always(|| Reply::data(made)).await;
    let create = CreateToken::new().with_full_rights().comment("ci");
    let access = server.client().access();
    let token = access
        .create_token(&"gold@pve!t1".parse().unwrap(), &create)
        .await
        .unwrap();
    assert_eq!(token.id().as_str(), "gold@pve!t1");
    assert!(!format!("{token:?}").contains("canary-secret"));
    let seen = &server.seen()[0];
    assert_eq!(
        seen.call,
        "POST /api2/json/access/users/gold%40pve/token/t1"
    );
    assert_eq!(seen.form(), "privsep=0&comment=ci");
}

#[tokio::test]
async fn tokens_are_listed_found_and_missed() {
    let list = r#"[{"comment":"second","expire":2000000000,"privsep":0,"tokenid":"t2"},
        {"expire":0,"privsep":1,"tokenid":"t1"}]"#;
    let server = Server::plain(|_, before| match before {
        0 => Reply::data(list),
        1 => Reply::data(r#"{"expire":"0","privsep":1}"#),
        _ => Reply::error(500, "no such token 't3' for user 'gold@pve'"),
    })
    .await;
    let access = server.client().access();
    let tokens = access
        .list_tokens(&"gold@pve".parse().unwrap())
        .await
        .unwrap();
    assert_eq!((tokens[0].privsep, tokens[1].privsep), (false, true));
    let found = access
        .find_token(&"gold@pve!t1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(found.unwrap().tokenid, "t1");
    let missing = "gold@pve!t3".parse().unwrap();
    assert!(access.find_token(&missing).await.unwrap().is_none());
    assert!(
        access
            .delete_token(&missing)
            .await
            .unwrap_err()
            .is_not_found()
    );
}

#[tokio::test]
async fn users_are_created_without_showing_their_password() {
    let about = r#"{"comment":"c","email":"u@gold.test","enable":1,"expire":0,"firstname":"Ada",
        "groups":[],"tokens":null}"#;
    let server = Server::plain(|_, before| match before {
        0 => Reply::data("null"),
        1 => Reply::data(about),
        2 => Reply::error(500, "no such user ('gold@pve')"),
        _ => Reply::error(500, "create user failed: user 'gold@pve' already exists"),
    })
    .await;
    let access = server.client().access();
    let user: proxmox_api::UserId = "gold@pve".parse().unwrap();
    let create = CreateUser::new(user.clone())
        .password("canary-password")
        .group("g")
        .disabled();
    assert!(!format!("{create:?}").contains("canary"));
    access.create_user(&create).await.unwrap();
    let form = "userid=gold%40pve&enable=0&groups=g&password=canary-password";
    assert_eq!(server.seen()[0].form(), form);
    let found = access.find_user(&user).await.unwrap().unwrap();
    assert_eq!(found.userid, Some(user.clone()));
    assert!(access.find_user(&user).await.unwrap().is_none());
    let error = access.create_user(&create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn roles_are_given_and_taken() {
    let list = r#"[{"path":"/vms/9209","propagate":1,"roleid":"PVEAuditor","type":"token",
        "ugid":"gold@pve!t1"}]"#;
    let server = Server::plain(|seen, _| {
        Reply::data(if seen.call.starts_with("GET") {
            list
        } else {
            "null"
        })
    })
    .await;
    let access = server.client().access();
    let set = SetAcl::new("/vms/9209", "PVEAuditor").user(&"gold@pve".parse().unwrap());
    let token = "gold@pve!t1".parse().unwrap();
    access
        .set_acl(&set.clone().token(&token).only_here())
        .await
        .unwrap();
    access.set_acl(&set.removed()).await.unwrap();
    assert_eq!(access.list_acl().await.unwrap()[0].kind, "token");
    let seen = server.seen();
    let common = "path=%2Fvms%2F9209&roles=PVEAuditor&users=gold%40pve";
    assert_eq!(
        seen[0].form(),
        format!("{common}&tokens=gold%40pve%21t1&propagate=0")
    );
    assert_eq!(seen[1].form(), format!("{common}&delete=1"));
}
