//! The pages of the site: small, well-formed, the same every time.

use crate::api::{ARTICLES, Article};

/// A page with a title and a body of HTML.
fn page(title: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
}

/// The front page.
pub(crate) fn index() -> String {
    page(
        "Demo site",
        "<p>Pages and JSON APIs for examples and tests.</p>\n<ul>\n\
         <li><a href=\"/articles\">Articles</a></li>\n\
         <li><a href=\"/changing\">A page that changes</a></li>\n\
         <li><a href=\"/form\">A form</a></li>\n\
         <li><a href=\"/items\">Items in stock</a></li>\n\
         <li><a href=\"/order\">An order</a></li>\n\
         <li><a href=\"/api/quotes\">Quotes as JSON</a></li>\n</ul>",
    )
}

/// The table of articles.
pub(crate) fn articles() -> String {
    let mut rows = String::new();
    for article in ARTICLES {
        let Article {
            slug, title, score, ..
        } = article;
        rows.push_str(&format!(
            "<tr><td><a href=\"/articles/{slug}\">{title}</a></td><td>{score}</td></tr>\n"
        ));
    }
    let table = format!(
        "<table>\n<thead><tr><th>Title</th><th>Score</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    );
    page("Articles", &table)
}

/// One article.
pub(crate) fn article(article: &Article) -> String {
    let Article {
        title, published, ..
    } = article;
    page(
        title,
        &format!(
            "<article>\n<time datetime=\"{published}\">{published}</time>\n<p>{title}, told in one sentence.</p>\n</article>"
        ),
    )
}

/// A page that is another one at each look of a run.
pub(crate) fn changing(n: u32) -> String {
    page(
        "A page that changes",
        &format!("<p id=\"look\">Look {n}</p>"),
    )
}

/// A form that is sent to the callback sink.
pub(crate) fn form() -> String {
    page(
        "A form",
        "<form method=\"post\" action=\"/callback\">\n\
         <label>Name <input name=\"name\" required></label>\n\
         <button type=\"submit\">Send</button>\n</form>",
    )
}

/// What is in stock: name, price in euro and how many.
const ITEMS: [(&str, u32, u32); 3] = [("Anvil", 120, 3), ("Bellows", 45, 5), ("Crucible", 30, 7)];

/// The list of what is in stock.
pub(crate) fn items() -> String {
    let mut list = String::new();
    for (name, price, count) in ITEMS {
        list.push_str(&format!(
            "<li class=\"item\"><a href=\"/order?item={name}\"><span class=\"name\">{name}</span></a> \
             <span class=\"price\">{price}</span> <span class=\"count\">{count}</span></li>\n"
        ));
    }
    page("Items", &format!("<ul>\n{list}</ul>"))
}

/// A form whose answer is a page that shows what was sent.
pub(crate) fn order(item: &str) -> String {
    let mut options = String::new();
    for (name, ..) in ITEMS {
        let selected = if name == item { " selected" } else { "" };
        options.push_str(&format!("<option{selected}>{name}</option>"));
    }
    page(
        "An order",
        &format!(
            "<form method=\"post\" action=\"/order\">\n\
             <label>Item <select id=\"item\" name=\"item\">{options}</select></label>\n\
             <label>Count <input id=\"count\" name=\"count\" type=\"number\" value=\"1\"></label>\n\
             <label>Note <input id=\"note\" name=\"note\"></label>\n\
             <label><input id=\"express\" name=\"express\" type=\"checkbox\"> Express</label>\n\
             <button type=\"submit\">Order</button>\n</form>"
        ),
    )
}

/// What was sent with the form, by the names of its fields.
pub(crate) fn ordered(fields: &[(String, String)]) -> String {
    let mut list = String::new();
    for (name, value) in fields {
        let (name, value) = (escaped(name), escaped(value));
        list.push_str(&format!("<dt>{name}</dt><dd id=\"{name}\">{value}</dd>\n"));
    }
    page("Ordered", &format!("<dl>\n{list}</dl>"))
}

/// Text that a page shows as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What stands at no address.
pub(crate) fn missing() -> String {
    page("Nothing here", "<p>No page has this address.</p>")
}
