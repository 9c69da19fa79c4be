//! The frame of an HTML page that needs nothing but itself.

use crate::escape::xml;

const STYLE: &str = include_str!("page.css");

/// A page with a title and a body that is already HTML.
///
/// Void elements are closed, so that the page is well-formed XML too. The policy forbids scripts and every request, so that even a mistake in the body could not make one.
pub(crate) fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}<footer>Made by cupel {version}.</footer>\n</main>\n</body>\n</html>\n",
        title = xml(title),
        version = env!("CARGO_PKG_VERSION"),
    )
}
