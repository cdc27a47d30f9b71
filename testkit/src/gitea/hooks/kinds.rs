//! The words for events in a hook: which there are, and which stand for several.

/// Every event a hook can be told of.
const ALL: [&str; 24] = [
    "create",
    "delete",
    "fork",
    "push",
    "issues",
    "issue_assign",
    "issue_label",
    "issue_milestone",
    "issue_comment",
    "pull_request",
    "pull_request_assign",
    "pull_request_label",
    "pull_request_milestone",
    "pull_request_comment",
    "pull_request_review",
    "pull_request_review_request",
    "pull_request_sync",
    "wiki",
    "repository",
    "release",
    "package",
    "status",
    "workflow_run",
    "workflow_job",
];

/// Words that stand for several events.
const GROUPS: [(&str, &[&str]); 2] = [
    (
        "issues",
        &[
            "issues",
            "issue_assign",
            "issue_label",
            "issue_milestone",
            "issue_comment",
        ],
    ),
    (
        "pull_request",
        &[
            "pull_request",
            "pull_request_assign",
            "pull_request_label",
            "pull_request_milestone",
            "pull_request_comment",
            "pull_request_review",
            "pull_request_review_request",
            "pull_request_sync",
        ],
    ),
];

/// The events that a caller's words stand for; unknown words stand for nothing.
pub(super) fn expanded(words: &[String]) -> Vec<String> {
    let means = |event: &str| {
        words.iter().any(|word| {
            let only = word.strip_suffix("_only");
            let group = GROUPS.iter().find(|(name, _)| name == word);
            group.map_or(word == event || only == Some(event), |(_, all)| {
                all.contains(&event)
            })
        })
    };
    ALL.iter()
        .filter(|event| means(event))
        .map(|event| (*event).to_owned())
        .collect()
}

/// The kinds of hooks that there are.
pub(super) fn is_kind(kind: &str) -> bool {
    const KINDS: [&str; 11] = [
        "gitea",
        "gogs",
        "slack",
        "discord",
        "dingtalk",
        "telegram",
        "msteams",
        "feishu",
        "matrix",
        "wechatwork",
        "packagist",
    ];
    KINDS.contains(&kind)
}

/// What stands in `X-Gitea-Event` for an event type.
pub(super) fn event_of_type(kind: &str) -> &str {
    match kind {
        "issue_assign" | "issue_label" | "issue_milestone" => "issues",
        "pull_request_comment" => "issue_comment",
        "pull_request_assign"
        | "pull_request_label"
        | "pull_request_milestone"
        | "pull_request_sync"
        | "pull_request_review_request" => "pull_request",
        other => other,
    }
}
