//! The report as one HTML page: charts first, then the Markdown's tables.

use pulldown_cmark::{Event, Options, Parser};

use super::super::results::Results;
use super::{charts, markdown};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1d2a1f;--paper:#fbfaf5;--line:#d8d5c8;--soft:#6b7468}\
@media(prefers-color-scheme:dark){:root{--ink:#e6e8df;--paper:#171b17;--line:#39423a;--soft:#9aa597}}\
body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 4rem;font:16px/1.5 system-ui,sans-serif;color:var(--ink);\
background:var(--paper)}h1,h2{line-height:1.2}h2{margin-top:2.5rem}figure{margin:1rem 0;padding:.5rem;background:#fff;\
border:1px solid var(--line);border-radius:6px}figure svg{display:block;width:100%;height:auto}\
.charts{display:grid;gap:1rem;grid-template-columns:repeat(auto-fit,minmax(26rem,1fr))}\
.table{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;font-variant-numeric:tabular-nums}\
td,th{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\
td:not(:first-child){white-space:nowrap}code{overflow-wrap:anywhere;font-size:.85em}li{margin:.2rem 0}\
p,li{max-width:60rem}";

/// `results` as a page of its own, with nothing fetched from anywhere.
pub fn html(results: &Results) -> String {
    let text = markdown(results);
    let figures: String = charts::all(results)
        .into_iter()
        .map(|chart| format!("<figure>{chart}</figure>\n"))
        .collect();
    // Names of models and adapters come from outside: HTML in them stays text.
    let events = Parser::new_ext(&text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Event::Text(text),
        other => other,
    });
    let mut body = String::new();
    pulldown_cmark::html::push_html(&mut body, events);
    let body = body
        .replace("<table>", "<div class=\"table\"><table>")
        .replace("</table>", "</table></div>");
    let charts = format!("<div class=\"charts\">\n{figures}</div>\n<h2>What to do</h2>");
    let body = body.replacen("<h2>What to do</h2>", &charts, 1);
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\"><title>The study</title><style>{STYLE}</style></head>\n\
         <body>\n{body}</body></html>\n"
    )
}
