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
    } else if has(said, &["a password is required", "Authentication required", "Authorization required"]) && !given {
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
