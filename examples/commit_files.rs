//! An organisation, a repository and a commit of several files, each made sure of.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use gitea_api::{
    Auth, Client,
    api::{
        orgs::CreateOrg,
        repos::{CreateRepo, contents::CommitOptions},
    },
};
use testkit::forge::Forge;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // A Gitea on loopback, with real git behind it.
    let play = Forge::start().await?;
    let token = &*play.ready().root_token;
    let forge = Client::builder(play.url())
        .auth(Auth::token(token))
        .build()?;
    println!("this is {}", forge.probe().await?);

    forge.ensure_org(&CreateOrg::new("fleet")).await?;
    forge
        .org("fleet")
        .ensure_repo(&CreateRepo::new("lab").private(true))
        .await?;
    let repo = forge.repo("fleet", "lab");
    for round in 1..=2 {
        let change = repo
            .commit(&CommitOptions::new().message("the first container"))
            .put("containers/web/config.env", b"ID=101\nHOSTNAME=web\n")
            .put("README.md", b"# Lab\n")
            .send()
            .await?;
        println!(
            "round {round}: {}",
            if change.is_change() {
                "committed"
            } else {
                "nothing to do"
            }
        );
    }
    Ok(())
}
