//! People who work in the console.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::UserId;
use super::case::UnknownName;

/// What a person may do in the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 经办: reviews cases.
    Officer,
    /// 主管: reviews cases and sees everybody's.
    Supervisor,
    /// 观察员: reads masked cases, decides nothing.
    Observer,
    /// 管理员: keeps users and keys, decides nothing.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Officer, Role::Supervisor, Role::Observer, Role::Admin];

    /// The name in commands and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Officer => "officer",
            Role::Supervisor => "supervisor",
            Role::Observer => "observer",
            Role::Admin => "admin",
        }
    }

    /// Whether the role may approve, decline or ask.
    pub fn may_review(self) -> bool {
        matches!(self, Role::Officer | Role::Supervisor)
    }

    /// Whether the role may see which firm a case is about.
    pub fn may_see_firm(self) -> bool {
        self.may_review()
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Role, UnknownName> {
        Role::ALL.into_iter().find(|r| r.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// A person who can log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The login name.
    pub name: String,
    /// The role.
    pub role: Role,
}
