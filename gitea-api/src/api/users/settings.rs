//! Settings and mail addresses of the user who asks.

use crate::api::users::Me;
use crate::error::Result;
use crate::ids::UserId;
use crate::page::List;
use crate::request::{Operation, Request, operations};
use crate::wire::{model, params};

operations! {
    GET_SETTINGS = Operation::get("/user/settings", "get user settings");
    EDIT_SETTINGS = Operation::patch("/user/settings", "edit user settings");
    LIST_EMAILS = Operation::get("/user/emails", "list mail addresses");
    ADD_EMAILS = Operation::post("/user/emails", "add mail addresses");
    DELETE_EMAILS = Operation::delete("/user/emails", "delete mail addresses");
}

model! {
    /// Settings of the website and the profile.
    pub struct UserSettings {
        /// The full name.
        pub full_name: String,
        /// A website.
        pub website: String,
        /// About them.
        pub description: String,
        /// Where they are.
        pub location: String,
        /// The language of the website.
        pub language: String,
        /// The theme.
        pub theme: String,
        /// How differences are shown.
        pub diff_view_style: String,
        /// Whether the mail address is hidden.
        pub hide_email: bool,
        /// Whether the activity is hidden.
        pub hide_activity: bool,
    }

    /// A mail address.
    pub struct Email {
        /// The address.
        pub email: String,
        /// Whether it was verified.
        pub verified: bool,
        /// Whether it is the one that counts.
        pub primary: bool,
        /// Whose it is.
        pub user_id: UserId,
        /// Whose it is.
        pub username: String,
    }
}

params! {
    /// Changes of the settings.
    pub struct EditUserSettings {
        optional {
            /// The language of the website.
            language: String,
            /// The theme.
            theme: String,
            /// How differences are shown.
            diff_view_style: String,
            /// Whether the mail address is hidden.
            hide_email: bool,
            /// Whether the activity is hidden.
            hide_activity: bool,
        }
        patch {
            /// The full name.
            full_name: String,
            /// A website.
            website: String,
            /// About them.
            description: String,
            /// Where they are.
            location: String,
        }
    }
}

impl Me {
    /// Their settings.
    ///
    /// Upstream: `GET /user/settings`
    ///
    /// # Errors
    /// `MissingScope`.
    pub async fn settings(&self) -> Result<UserSettings> {
        self.client.send(Request::to(&GET_SETTINGS)).await
    }

    /// Changes their settings.
    ///
    /// Upstream: `PATCH /user/settings`
    ///
    /// # Errors
    /// `Validation`, `MissingScope`.
    pub async fn edit_settings(&self, changes: &EditUserSettings) -> Result<UserSettings> {
        self.client
            .send(Request::to(&EDIT_SETTINGS).json(changes))
            .await
    }

    /// Their mail addresses.
    ///
    /// Upstream: `GET /user/emails`
    pub fn emails(&self) -> List<Email> {
        List::whole(&self.client, Request::to(&LIST_EMAILS))
    }

    /// Adds mail addresses. After a refusal the good ones before the bad one are there.
    ///
    /// Upstream: `POST /user/emails`
    ///
    /// # Errors
    /// `AlreadyExists`, `Validation`.
    pub async fn add_emails(&self, addresses: &[&str]) -> Result<Vec<Email>> {
        let body = serde_json::json!({ "emails": addresses });
        self.client.send(Request::to(&ADD_EMAILS).json(&body)).await
    }

    /// Removes mail addresses.
    ///
    /// Upstream: `DELETE /user/emails`
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_emails(&self, addresses: &[&str]) -> Result<()> {
        let body = serde_json::json!({ "emails": addresses });
        self.client
            .send_empty(Request::to(&DELETE_EMAILS).json(&body))
            .await
    }
}
