"""A client generated from the published description of the API, against the forge at FORGE_URL.

Its models refuse an answer whose members are of another type; what is written is read back.
"""

import asyncio
import base64
import os
import uuid

import gitea_api_client as gitea
from gitea_api_client.rest import ApiException


def connect(token):
    configuration = gitea.Configuration(host=os.environ["FORGE_URL"] + "/api/v1")
    configuration.api_key["AuthorizationHeaderToken"] = token
    configuration.api_key_prefix["AuthorizationHeaderToken"] = "token"
    return gitea.ApiClient(configuration)


loop = asyncio.new_event_loop()


class Waiting:
    """A part of the client whose calls are waited for."""

    def __init__(self, part, client):
        self.part = part(client)

    def __getattr__(self, name):
        call = getattr(self.part, name)
        return lambda *arguments, **named: loop.run_until_complete(call(*arguments, **named))


async def connected(token):
    return connect(token)


def refused(status, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ApiException as error:
        assert error.status == status, f"{error.status} instead of {status}: {error.body}"
    else:
        raise AssertionError(f"not refused with {status}")


tag = uuid.uuid4().hex[:8]
client = loop.run_until_complete(connected(os.environ["FORGE_TOKEN"]))
users, orgs, repos = (Waiting(part, client) for part in (gitea.UserApi, gitea.OrganizationApi, gitea.RepositoryApi))
admin, issues, misc = (Waiting(part, client) for part in (gitea.AdminApi, gitea.IssueApi, gitea.MiscellaneousApi))
settings = Waiting(gitea.SettingsApi, client)

assert misc.get_version().version.startswith("1.")
me = users.user_get_current()
assert me.login == os.environ["FORGE_USER"] and me.is_admin
assert settings.get_general_api_settings().default_paging_num == 30
settings.get_general_attachment_settings(), settings.get_general_repository_settings()
settings.get_general_ui_settings()

name = f"dev-{tag}"
password = uuid.uuid4().hex
made = admin.admin_create_user(body=gitea.CreateUserOption(
    username=name, email=f"{name}@forge.internal", password=password, must_change_password=False))
assert made.login == name and users.user_get(name).login == name
assert name in [user.login for user in users.user_search(q=name).data]
refused(422, admin.admin_create_user, body=gitea.CreateUserOption(
    username=name, email="other@forge.internal", password=password))

org = orgs.org_create(organization=gitea.CreateOrgOption(username=f"org-{tag}", description="d"))
assert orgs.org_get(org.name).description == "d"
team = orgs.org_create_team(org.name, body=gitea.CreateTeamOption(
    name="builders", permission="write", units=["repo.code", "repo.issues", "repo.pulls"]))
orgs.org_add_team_member(team.id, name)
assert [user.login for user in orgs.org_list_team_members(team.id)] == [name]
assert {one.name for one in orgs.org_list_teams(org.name)} == {"Owners", "builders"}

repo = orgs.create_org_repo(org.name, body=gitea.CreateRepoOption(name="r", auto_init=True, private=True))
orgs.org_add_team_repository(team.id, org.name, "r")
assert repos.repo_get(org.name, "r").private
assert f"{org.name}/r" in [one.full_name for one in repos.repo_search(q="r", limit=50).data]
edited = repos.repo_edit(org.name, "r", body=gitea.EditRepoOption(description="new", has_wiki=False))
assert edited.description == "new" and not edited.has_wiki


def encoded(text):
    return base64.b64encode(text.encode()).decode()


file = repos.repo_create_file(org.name, "r", "a.txt", body=gitea.CreateFileOptions(content=encoded("one\n"), message="a"))
read = repos.repo_get_contents(org.name, "r", "a.txt")
assert base64.b64decode(read.content) == b"one\n" and read.sha == file.content.sha
repos.repo_update_file(org.name, "r", "a.txt", body=gitea.UpdateFileOptions(
    content=encoded("two\n"), sha=read.sha, new_branch="feature", message="b"))
assert {branch.name for branch in repos.repo_list_branches(org.name, "r")} == {"main", "feature"}
repos.repo_create_branch(org.name, "r", body=gitea.CreateBranchRepoOption(new_branch_name="other"))
assert repos.repo_get_branch(org.name, "r", "other").commit.id
repos.repo_create_tag(org.name, "r", body=gitea.CreateTagOption(tag_name="v1", message="first"))
assert [one.name for one in repos.repo_list_tags(org.name, "r")] == ["v1"]
commits = repos.repo_get_all_commits(org.name, "r")
assert len(commits) == 2 and commits[0].commit.message == "a\n"
repos.repo_create_status(org.name, "r", commits[0].sha, body=gitea.CreateStatusOption(state="success", context="ci"))
assert repos.repo_get_combined_status_by_ref(org.name, "r", "main").state == "success"

release = repos.repo_create_release(org.name, "r", body=gitea.CreateReleaseOption(tag_name="v2", name="Two", body="text"))
assert repos.repo_get_release(org.name, "r", release.id).name == "Two"
assert repos.repo_get_latest_release(org.name, "r").tag_name == "v2"
hook = repos.repo_create_hook(org.name, "r", body=gitea.CreateHookOption(
    type="gitea", config={"url": "http://127.0.0.1:9/h", "content_type": "json"}, events=["push"], active=True))
assert repos.repo_get_hook(org.name, "r", hook.id).events == ["push"]

repos.create_repo_variable(org.name, "r", "REGION", body=gitea.CreateVariableOption(value="eu"))
assert repos.get_repo_variable(org.name, "r", "REGION").data == "eu"
repos.update_repo_secret(org.name, "r", "KEY", body=gitea.CreateOrUpdateSecretOption(data="secret"))
assert [one.name for one in repos.repo_list_actions_secrets(org.name, "r")] == ["KEY"]

label = issues.issue_create_label(org.name, "r", body=gitea.CreateLabelOption(name="bug", color="#ff0000"))
milestone = issues.issue_create_milestone(org.name, "r", body=gitea.CreateMilestoneOption(title="v1"))
issue = issues.issue_create_issue(org.name, "r", body=gitea.CreateIssueOption(
    title="Broken", body="b", labels=[label.id], milestone=milestone.id, assignees=[name]))
read = issues.issue_get_issue(org.name, "r", issue.number)
assert read.labels[0].name == "bug" and read.milestone.title == "v1" and read.assignees[0].login == name
comment = issues.issue_create_comment(org.name, "r", issue.number, body=gitea.CreateIssueCommentOption(body="same here"))
assert [one.id for one in issues.issue_get_comments(org.name, "r", issue.number)] == [comment.id]
issues.issue_edit_issue(org.name, "r", issue.number, body=gitea.EditIssueOption(state="closed"))
assert issues.issue_list_issues(org.name, "r", state="closed")[0].number == issue.number

pull = repos.repo_create_pull_request(org.name, "r", body=gitea.CreatePullRequestOption(
    title="Change", head="feature", base="main"))
assert repos.repo_get_pull_request(org.name, "r", pull.number).mergeable
assert [one.filename for one in repos.repo_get_pull_request_files(org.name, "r", pull.number)] == ["a.txt"]
repos.repo_merge_pull_request(org.name, "r", pull.number, body=gitea.MergePullRequestOption(do="squash"))
assert repos.repo_get_pull_request(org.name, "r", pull.number).merged
assert base64.b64decode(repos.repo_get_contents(org.name, "r", "a.txt").content) == b"two\n"

refused(404, repos.repo_get, org.name, "nothing")
refused(409, orgs.create_org_repo, org.name, body=gitea.CreateRepoOption(name="r"))
stranger = loop.run_until_complete(connected("0" * 40))
refused(401, Waiting(gitea.UserApi, stranger).user_get_current)
repos.repo_delete(org.name, "r")
refused(404, repos.repo_get, org.name, "r")
orgs.org_delete(org.name)
admin.admin_delete_user(name)
for one in (client, stranger):
    loop.run_until_complete(one.close())
print("gitea-api-client: what was written was read back")
