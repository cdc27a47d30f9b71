//! The one file that starts a program: the checker of exchanges against upstream's schema.

use std::path::Path;

/// Fails with the checker's words unless every exchange of a journal is as the schema says.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the file that starts programs"
)]
/// `passed_over` are its words for what is not the client's doing.
pub(crate) fn assert_conforms(journal: &Path, schema: &str, passed_over: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/schemas");
    let output = std::process::Command::new("python3")
        .arg(folder.join("conform.py"))
        .args(["gitea", "--schema"])
        .arg(folder.join(schema))
        .args(["--ignore", passed_over])
        .arg("--journal")
        .arg(journal)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
}
