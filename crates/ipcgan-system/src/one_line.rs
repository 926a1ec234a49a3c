//! Messages on one line.

use std::error::Error;
use std::fmt::Display;

/// `error` with its causes, separated by colons, on one line.
///
/// The message of `error` itself stays as it is: a line break in it is part of a file name.
pub fn in_one_line(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += ": ";
        text += &one_line(error);
        cause = error.source();
    }
    text
}

/// `message` without line breaks, indentation and empty lines: libraries list names on lines of their own.
pub fn one_line(message: &(impl Display + ?Sized)) -> String {
    let message = message.to_string();
    message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
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

        assert_eq!(in_one_line(&error), "it failed: the device is gone: no answer");
    }

    #[test]
    fn lines_are_joined_without_indentation_and_empty_lines() {
        let message = "2 tensors are missing:\n  conv1.weight,\r\n\n  conv1.bias\n";

        assert_eq!(one_line(message), "2 tensors are missing: conv1.weight, conv1.bias");
    }
}
