//! Messages on one line.

use std::error::Error;
use std::fmt::Display;

/// The message of `error`, followed by those of its causes, separated by colons; without those that are repeated, as by
/// Burn's error of a data set, whose message is that of its cause.
///
/// Only `error`'s own message can contain a line break, as part of a file name; the causes are
/// [`without_line_breaks`].
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    with_causes_until(error, |_| None)
}

/// As [`with_causes`], up to the first of these errors that has a `whole_message`, which replaces its own message and
/// those of its causes.
pub fn with_causes_until(
    error: &(dyn Error + 'static),
    whole_message: impl Fn(&(dyn Error + 'static)) -> Option<String>,
) -> String {
    let mut messages = Vec::<String>::new();
    let (mut last, mut next) = (None, Some(error));
    while let Some(error) = next {
        let message = without_line_breaks(error);
        if last.as_ref() == Some(&message) {
            messages.pop();
        }
        if let Some(whole) = whole_message(error) {
            messages.push(whole);
            break;
        }
        messages.push(if messages.is_empty() { error.to_string() } else { message.clone() });
        (last, next) = (Some(message), error.source());
    }
    messages.join(": ")
}

/// `message` with its lines joined by spaces, without their indentation and without empty lines: libraries list names on
/// lines of their own.
///
/// The result contains neither line feeds nor carriage returns.
pub fn without_line_breaks(message: &(impl Display + ?Sized)) -> String {
    let message = message.to_string();
    message.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    /// An error with a cause.
    #[derive(Debug)]
    struct Failed(io::Error);

    impl Display for Failed {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("it failed")
        }
    }

    impl Error for Failed {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_is_followed_by_its_causes() {
        let error = Failed(io::Error::other("the device is gone:\n  no answer\n"));

        assert_eq!(with_causes(&error), "it failed: the device is gone: no answer");
    }

    /// An error with the message of its cause.
    #[derive(Debug)]
    struct Repeated(Failed);

    impl Display for Repeated {
        fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(formatter)
        }
    }

    impl Error for Repeated {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_message_that_repeats_its_cause_is_written_once() {
        let error = Repeated(Failed(io::Error::other("the device is gone")));

        assert_eq!(with_causes(&error), "it failed: the device is gone");
    }

    #[test]
    fn a_whole_message_replaces_that_of_its_error_and_those_of_its_causes() {
        let error = Repeated(Failed(io::Error::other("the device is gone")));

        let message = with_causes_until(&error, |error| error.is::<Failed>().then(|| "try another device".to_string()));

        assert_eq!(message, "try another device");
    }

    #[test]
    fn lines_are_joined_without_indentation_and_empty_lines() {
        let message = "3 tensors are missing:\n  conv1.weight,\r\n\n  conv1.bias,\rconv2.bias\n";

        assert_eq!(without_line_breaks(message), "3 tensors are missing: conv1.weight, conv1.bias, conv2.bias");
    }
}
