use super::{
    answer::{Problem, json_answer},
    attempts::Attempts,
    audit::Who,
    auth::{Access, SHORTEST, Tokens},
    exchanges, rules,
    state::{Ask, Shared},
};
use crate::{export::Memory, kit::DashcamHandle, selection::peer};
use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{Response, StatusCode},
    middleware::{Next, from_fn_with_state},
    response::IntoResponse,
    routing::{get, post, put},
};
use serde_json::json;
use std::{
    fmt,
    sync::{Arc, Mutex},
};

/// Builds the router; see the [module page](super).
#[must_use]
pub struct Admin {
    handle: DashcamHandle,
    kept: Option<Memory>,
    tokens: Vec<(String, String)>,
    nobody_asked: bool,
}

impl Admin {
    /// Starts a router over this dashcam. It needs a [`bearer_token`](Self::bearer_token) or
    /// [`insecure_no_auth(true)`](Self::insecure_no_auth).
    pub fn new(handle: DashcamHandle) -> Self {
        Self {
            handle,
            kept: None,
            tokens: Vec::new(),
            nobody_asked: false,
        }
    }

    /// Adds a token: the router answers requests with `authorization: Bearer <token>`. Audit
    /// lines name `who`. A token has at least 32 visible ASCII characters, such as those of
    /// `openssl rand -base64 32`. Default: none.
    pub fn bearer_token(mut self, who: impl Into<String>, token: impl Into<String>) -> Self {
        self.tokens.push((who.into(), token.into()));
        self
    }

    /// Sets whether the router answers *everybody who can reach it*, except browsers. Default:
    /// `false`. For development only.
    pub fn insecure_no_auth(mut self, on: bool) -> Self {
        self.nobody_asked = on;
        self
    }

    /// Sets the memory whose exchanges the router shows; pass a clone of it to
    /// [`exporter`](crate::kit::DashcamBuilder::exporter). Default: none.
    pub fn exchanges(mut self, kept: Memory) -> Self {
        self.kept = Some(kept);
        self
    }

    /// Builds the router. Its rules come after those of all sources so far.
    ///
    /// # Errors
    ///
    /// There is neither a token nor [`insecure_no_auth`](Self::insecure_no_auth), or both; a
    /// token is too short, has other characters than visible ASCII, or comes twice; or the
    /// operating system gives no random bytes.
    pub fn router(self) -> Result<Router, AdminError> {
        let access = self.access()?;
        let state = Arc::new(Shared {
            slot: self.handle.steering().slot("admin"),
            handle: self.handle,
            kept: self.kept,
            access,
            attempts: Attempts::default(),
            own: Mutex::default(),
        });
        Ok(Router::new()
            .route("/status", get(status))
            .route("/switch/off", post(rules::switch_off))
            .route("/switch/on", post(rules::switch_on))
            .route(
                "/rules",
                get(rules::list)
                    .put(rules::replace)
                    .delete(rules::delete_all),
            )
            .route(
                "/rules/{name}",
                put(rules::put_one).delete(rules::delete_one),
            )
            .route("/why", post(rules::why))
            .route("/exchanges", get(exchanges::list))
            .route("/exchanges/{id}", get(exchanges::one))
            .route("/exchanges/{id}/har", get(exchanges::one_har))
            .route("/exchanges/{id}/curl", get(exchanges::curl))
            .route("/har", get(exchanges::har))
            .fallback(unknown)
            .method_not_allowed_fallback(not_allowed)
            .layer(from_fn_with_state(Arc::clone(&state), authenticate))
            .with_state(state))
    }

    fn access(&self) -> Result<Access, AdminError> {
        let tokens = &self.tokens;
        for (n, (who, token)) in tokens.iter().enumerate() {
            let who = who.clone();
            if token.len() < SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(AdminError::Token { who });
            }
            if tokens.iter().take(n).any(|(_, other)| other == token) {
                return Err(AdminError::Twice { who });
            }
        }
        match (tokens.is_empty(), self.nobody_asked) {
            (true, false) => Err(AdminError::NoAccess),
            (false, true) => Err(AdminError::Both),
            (true, true) => Ok(Access::Anybody),
            (false, false) => {
                let tokens = Tokens::new(tokens).ok_or(AdminError::Random)?;
                Ok(Access::Tokens(tokens))
            }
        }
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").finish_non_exhaustive()
    }
}

/// The router cannot be built.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum AdminError {
    /// There is neither a token nor [`Admin::insecure_no_auth`].
    NoAccess,
    /// There are tokens and [`Admin::insecure_no_auth`].
    Both,
    /// A token is too short, or has other characters than visible ASCII.
    Token {
        /// The user.
        who: String,
    },
    /// Two users have the same token.
    Twice {
        /// The second user.
        who: String,
    },
    /// The operating system gives no random bytes.
    Random,
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAccess => f.write_str(
                "nobody could use the admin router: set a `bearer_token`, or, for development, \
                 `insecure_no_auth(true)`",
            ),
            Self::Both => {
                f.write_str("`insecure_no_auth(true)` makes the tokens of the router useless: remove one of them")
            }
            Self::Token { who } => write!(
                f,
                "the token of {who:?} must have at least {SHORTEST} characters, all of them \
                 visible ASCII: `openssl rand -base64 32` makes one"
            ),
            Self::Twice { who } => write!(
                f,
                "the token of {who:?} is also the token of somebody else, so the audit log could \
                 not distinguish them: take another one"
            ),
            Self::Random => f.write_str("the operating system gives no random bytes"),
        }
    }
}

impl std::error::Error for AdminError {}

async fn authenticate(State(shared): Ask, mut request: Request, next: Next) -> Response<Body> {
    let peer = peer(request.extensions());
    let checked = shared
        .access
        .check(request.headers(), request.uri(), peer, &shared.attempts);
    match checked {
        Ok(who) => {
            request.extensions_mut().insert::<Who>(who);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

async fn status(State(shared): Ask) -> Response<Body> {
    let (failed, refused) = shared.attempts.counts();
    json_answer(&json!({
        "dashcam": shared.handle.status(),
        "admin": { "wrong_tokens": failed, "refused_attempts": refused },
    }))
}

async fn unknown() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "expected one of /status, /switch/off, /switch/on, /rules, /rules/NAME, /why, /exchanges, \
         /exchanges/ID, /exchanges/ID/har, /exchanges/ID/curl, /har",
    )
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this path has other methods; see docs/admin.md",
    )
}
