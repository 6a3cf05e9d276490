//! Pictures and documents of a page.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::error::Error;
use crate::limit::Limit;
use crate::page::Page;

/// Largest picture or document: a message of the mesh has 16 MiB.
pub(crate) const BYTES_MAX: usize = 15 * 1024 * 1024;

/// Longest side of a picture: graphics systems draw no larger texture.
pub(crate) const SIDE_MAX: f64 = 16_384.0;

/// Most pixels of a picture, 160 MB while it is drawn.
pub(crate) const PIXELS_MAX: f64 = 40_000_000.0;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part<'a> {
    View,
    Whole,
    Element(&'a str),
}

/// A picture.
#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) bytes: Bytes,
    pub(crate) width: i32,
    pub(crate) height: i32,
}

/// Paper sizes in inches.
pub(crate) const PAPERS: [(&str, f64, f64); 3] = [
    ("Letter", 8.5, 11.0),
    ("Legal", 8.5, 14.0),
    ("A4", 8.27, 11.69),
];

/// Takes a picture.
pub(crate) async fn screenshot(
    page: &Page,
    part: Part<'_>,
    limit: &Limit,
) -> Result<Picture, Error> {
    let asked = match part {
        Part::View => json!({"part": "view"}),
        Part::Whole => json!({"part": "whole"}),
        Part::Element(selector) => json!({"part": "element", "selector": selector}),
    };
    let measured = page.read("measure", asked, limit);
    let area = limit.within("measuring the page", measured).await?;
    let number = |name: &str| area[name].as_f64().unwrap_or_default();
    let (width, height) = (number("width"), number("height"));
    if width < 1.0 || height < 1.0 {
        let text = match part {
            Part::Element(selector) => format!("`{selector}` has no area: it is hidden or empty"),
            _ => "it has no area".to_owned(),
        };
        return Err(Error::Render(text));
    }
    if width > SIDE_MAX || height > SIDE_MAX || width * height > PIXELS_MAX {
        return Err(Error::PageLimit(format!(
            "the picture would have {width} x {height} pixels; at most {SIDE_MAX} a side and {PIXELS_MAX} are drawn: take an element, or the view alone"
        )));
    }
    let clip = json!({
        "x": number("x"), "y": number("y"), "width": width, "height": height, "scale": 1,
    });
    let capture = json!({"format": "png", "clip": clip, "captureBeyondViewport": true});
    let drawn = page.call("Page.captureScreenshot", capture);
    let drawn = limit.within("the picture", drawn).await.map_err(render)?;
    Ok(Picture {
        bytes: data(&drawn)?,
        width: rounded(width),
        height: rounded(height),
    })
}

/// Prints a page.
pub(crate) async fn pdf(
    page: &Page,
    paper: &str,
    landscape: bool,
    limit: &Limit,
) -> Result<Bytes, Error> {
    let (_, width, height) = PAPERS
        .into_iter()
        .find(|(name, ..)| *name == paper)
        .ok_or_else(|| Error::parameter("format", "must be Letter, Legal or A4"))?;
    let print = json!({
        "paperWidth": width, "paperHeight": height, "landscape": landscape,
        "printBackground": true,
    });
    let printed = page.call("Page.printToPDF", print);
    let printed = limit
        .within("the document", printed)
        .await
        .map_err(render)?;
    data(&printed)
}

fn render(error: Error) -> Error {
    match error {
        Error::Protocol(text) => Error::Render(text),
        error => error,
    }
}

/// The bytes of an answer.
fn data(answer: &Value) -> Result<Bytes, Error> {
    let text = answer["data"].as_str().unwrap_or_default();
    if text.len() / 4 * 3 > BYTES_MAX {
        return Err(Error::PageLimit(format!(
            "it has more than {BYTES_MAX} bytes; take a part of the page"
        )));
    }
    let bytes = BASE64_STANDARD
        .decode(text)
        .map_err(|e| Error::Render(e.to_string()))?;
    Ok(bytes.into())
}

#[expect(clippy::cast_possible_truncation, reason = "bounded by SIDE_MAX above")]
fn rounded(side: f64) -> i32 {
    side.round() as i32
}
