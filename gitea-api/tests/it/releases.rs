//! Releases, their files, tags and deploy keys, in a forge that has state.

use gitea_api::Ensured;
use gitea_api::api::repos::releases::{CreateRelease, EditRelease};
use gitea_api::api::repos::tags::CreateTag;
use gitea_api::api::users::keys::AddKey;

use crate::conversation::Conversation;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9ZTBVbvFM3FBBnVAWBjxpnFiFLLpbBbYJAxPPWVdXA";

#[tokio::test]
async fn a_release_is_made_with_its_files_and_leaves_its_tag() {
    let talk = Conversation::begin().await;
    let repo = talk.repo().await;
    let releases = repo.releases();
    let wish = CreateRelease::new("v1.0").name("one").body("text");
    let made = releases.create(&wish).await.unwrap();
    let error = releases.create(&wish).await.unwrap_err();
    assert!(error.is_already_exists(), "{error:?}");
    let content = b"--gitea-api-boundary\r\n\0bytes";
    let file = releases.attach(made.id, "a.bin", content).await.unwrap();
    assert_eq!((&*file.name, file.size), ("a.bin", content.len() as u64));
    assert_eq!(&*releases.download(&file).await.unwrap(), content);
    let renamed = releases
        .rename_attachment(made.id, file.id, "b.bin")
        .await
        .unwrap();
    assert_eq!(renamed.name, "b.bin");
    let edit = EditRelease::new().body("new").prerelease(true);
    let edited = releases.edit(made.id, &edit).await.unwrap();
    assert_eq!(
        (&*edited.body, &*edited.name, edited.prerelease),
        ("new", "one", true)
    );
    assert_eq!(
        releases.find_latest().await.unwrap(),
        None,
        "a prerelease is not the latest"
    );
    let found = releases.find_by_tag("v1.0").await.unwrap().unwrap();
    assert_eq!(found.assets.len(), 1);
    releases.delete_attachment(made.id, file.id).await.unwrap();
    releases.delete(made.id).await.unwrap();
    assert_eq!(releases.find_by_tag("v1.0").await.unwrap(), None);
    assert_eq!(repo.tags().get("v1.0").await.unwrap().name, "v1.0");
    talk.end().await;
}

#[tokio::test]
async fn tags_and_deploy_keys_come_and_go() {
    let talk = Conversation::begin().await;
    let repo = talk.repo().await;
    let tag = CreateTag::new("v2").message("second");
    let made = repo.tags().create(&tag).await.unwrap();
    assert_ne!(
        made.id, made.commit.sha,
        "an annotated tag has an object of its own"
    );
    assert!(
        repo.tags()
            .create(&tag)
            .await
            .unwrap_err()
            .is_already_exists()
    );
    repo.tags().delete("v2").await.unwrap();
    assert!(repo.tags().get("v2").await.unwrap_err().is_not_found());
    let key = AddKey::new("ci", KEY).read_only(true);
    let keys = repo.deploy_keys();
    assert!(matches!(
        keys.ensure(&key).await.unwrap(),
        Ensured::Created(_)
    ));
    assert!(matches!(
        keys.ensure(&key).await.unwrap(),
        Ensured::Unchanged(_)
    ));
    let writing = keys.ensure(&key.clone().read_only(false)).await.unwrap();
    assert!(matches!(writing, Ensured::Updated(key) if !key.read_only));
    assert_eq!(keys.list().collect(10).await.unwrap().len(), 1);
    talk.end().await;
}
