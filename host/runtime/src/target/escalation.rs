//! Why a command could not run as another user.

use launchway_model::{EscalationMethod, Failure, Fault};

use super::failure::{FailureExt as _, failure};
use super::wrapper::Become;

/// Returns the name of the program that changes users.
fn program(method: EscalationMethod) -> &'static str {
    match method {
        EscalationMethod::Sudo => "sudo",
        EscalationMethod::Doas => "doas",
        EscalationMethod::Su => "su",
    }
}

/// The failure of a target without the program.
pub(crate) fn missing(target: &str, as_user: &Become) -> Failure {
    let program = program(as_user.method);
    failure(
        Fault::Target,
        format!("`{program}` is not installed on {target}, so nothing can run as `{}`", as_user.user),
    )
    .hint("install it there, choose another `escalation:` method, or log in as that user")
}

/// Fails as soon as it is clear that a password was refused: waiting for more would mean sending more.
pub(crate) fn refused_already(target: &str, as_user: &Become, said: &[u8]) -> Result<(), Failure> {
    if has(said, &["Sorry, try again", "incorrect password attempt"]) {
        return Err(wrong_password(target, as_user).detail(said));
    }
    Ok(())
}

/// Reads from the program's words why it refused.
pub(crate) fn refused(target: &str, as_user: &Become, said: &[u8]) -> Failure {
    let (user, program) = (&as_user.user, program(as_user.method));
    let given = as_user.password.is_some();
    let refusal = if has(said, &["unknown user", "does not exist", "unknown id", "user not found", "No passwd entry"]) {
        failure(Fault::Configuration, format!("there is no user `{user}` on {target}"))
            .hint("check `as:`; the user must be there before anything can run as it")
    } else if has(said, &["a password is required", "Authentication required", "Authorization required"]) {
        needs_password(target, as_user)
    } else if has(
        said,
        &[
            "Authentication failure",
            "Authentication failed",
            "incorrect password",
            "Sorry, try again",
            "no password was provided",
        ],
    ) {
        if given { wrong_password(target, as_user) } else { needs_password(target, as_user) }
    } else if has(
        said,
        &["not in the sudoers", "is not allowed to", "may not run sudo", "Operation not permitted", "not permitted"],
    ) {
        failure(Fault::Target, format!("the login user on {target} may not run commands as `{user}` by {program}"))
            .hint(format!("allow it in the {program} configuration there"))
    } else if has(said, &["must have a tty", "a terminal is required", "must be run from a terminal"]) {
        failure(Fault::Target, format!("{program} on {target} wants a terminal"))
            .hint("switch off `requiretty` for the login user there")
    } else if has(said, &["restricted shell", "account is currently not available"]) {
        failure(Fault::Target, format!("user `{user}` on {target} has a login shell that runs no commands"))
            .hint("only root can become such a user by su; use `method: sudo`")
    } else if has(said, &["doas is not enabled"]) {
        failure(Fault::Target, format!("doas is not set up on {target}")).hint("write /etc/doas.conf there")
    } else {
        failure(Fault::Target, format!("can't run commands as `{user}` on {target}: {program} failed"))
    };
    refusal.detail(said)
}

fn needs_password(target: &str, as_user: &Become) -> Failure {
    let program = program(as_user.method);
    let message = format!("{program} on {target} asks for a password to become `{}`", as_user.user);
    failure(Fault::Configuration, message).hint(match as_user.method {
        EscalationMethod::Doas => {
            "doas takes a password from a terminal only: give the login user a `permit nopass` rule"
        }
        _ => "name the secret in `escalation: {password: …}`, or let the login user do it without one (NOPASSWD)",
    })
}

fn wrong_password(target: &str, as_user: &Become) -> Failure {
    let program = program(as_user.method);
    failure(Fault::Configuration, format!("{program} on {target} refuses the password for becoming `{}`", as_user.user))
        .hint("check the secret that `escalation:` names")
}

fn has(said: &[u8], words: &[&str]) -> bool {
    let said = String::from_utf8_lossy(said);
    words.iter().any(|word| said.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the programs of Debian 12 say, as captured.
    #[test]
    fn each_refusal_has_its_own_words() {
        use EscalationMethod::{Doas, Su, Sudo};
        let cases = [
            (Sudo, false, "sudo: a password is required\n", "asks for a password to become `app`"),
            (Sudo, true, "Sorry, try again.\n\nsudo: no password was provided\n", "refuses the password"),
            (Sudo, true, "t5deploy is not in the sudoers file.\n", "may not run commands as `app`"),
            (Sudo, false, "sudo: unknown user app\nsudo: error initializing audit plugin", "there is no user `app`"),
            (Su, false, "Password: su: Authentication failure\n", "asks for a password to become `app`"),
            (Su, true, "Password: su: Authentication failure\n", "refuses the password"),
            (
                Su,
                false,
                "su: user app does not exist or the user entry does not contain all the required fields",
                "there is no user",
            ),
            (Su, true, "Password: su: using restricted shell /usr/sbin/nologin\n", "login shell that runs no commands"),
            (Doas, true, "doas: Authentication required\n", "asks for a password to become `app`"),
            (Doas, false, "doas: Operation not permitted\n", "may not run commands as `app`"),
            (Doas, false, "doas: doas is not enabled, /etc/doas.conf: No such file or directory\n", "is not set up"),
            (Doas, false, "doas: unknown user\n", "there is no user `app`"),
        ];
        for (method, given, said, wanted) in cases {
            let password = given.then(|| zeroize::Zeroizing::new(b"x".to_vec()));
            let as_user = Become { user: "app".to_owned(), method, password };
            let failure = refused("`db 1`", &as_user, said.as_bytes());
            assert!(failure.message.contains(wanted) && failure.hint.is_some(), "{said}: {failure:?}");
            assert_eq!(failure.detail.as_deref(), Some(said.trim()));
        }
    }
}
