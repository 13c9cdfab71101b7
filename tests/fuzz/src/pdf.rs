//! Small PDF files, unpacked, so that a changed byte changes what they say.

/// Files of one page and of two columns, with a table and a list.
pub fn files() -> Vec<Vec<u8>> {
    let line = |size: u32, x: u32, y: u32, text: &str| {
        format!("BT /F1 {size} Tf {x} {y} Td ({text}) Tj ET\n")
    };
    let mut plain = line(18, 72, 740, "Planting maize in Iowa");
    plain += &line(14, 72, 700, "Depth");
    plain += &line(
        10,
        72,
        680,
        "Plant maize two inches deep in most soils, and never less than",
    );
    plain += &line(10, 72, 668, "one and a half inches: roots need mois-");
    plain += &line(10, 72, 656, "ture and room.");
    plain += &line(10, 72, 640, "- warm soil");
    plain += &line(10, 72, 628, "- dry weather");
    plain += &line(9, 72, 600, "Table 1. Depth by soil.");
    for (row, cells) in [("clay", "3 cm"), ("sand", "5 cm"), ("loam", "4 cm")]
        .iter()
        .enumerate()
    {
        let y = 580 - 12 * row as u32;
        plain += &line(9, 72, y, cells.0);
        plain += &line(9, 200, y, cells.1);
    }
    plain += "72 590 m 300 590 l S\n0 0 m 10 0 10 10 0 10 c h f\n";
    let mut columns = line(16, 72, 740, "Two columns");
    for row in 0..12 {
        columns += &line(9, 72, 700 - 11 * row, "left column words that go on and on");
        columns += &line(9, 320, 700 - 11 * row, "right column words that go on, too");
    }
    columns += "q 1 0 0 1 10 10 cm /X1 Do Q\nBT /F1 9 Tf 1 0 0 1 72 40 Tm [(T) -120 (able) 30 (s)] TJ T* (x) ' ET\n";
    vec![file(&[&plain]), file(&[&columns, &plain])]
}

/// A file whose pages draw `contents`.
fn file(contents: &[&str]) -> Vec<u8> {
    let count = contents.len();
    let kids: String = (0..count)
        .map(|page| format!("{} 0 R ", 5 + 2 * page))
        .collect();
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R /Lang (en) >>".to_owned(),
        format!("<< /Type /Pages /Kids [{kids}] /Count {count} >>"),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>".to_owned(),
        "<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << >> /Length 14 >>\nstream\n0 0 5 5 re f  \nendstream"
            .to_owned(),
    ];
    for (page, content) in contents.iter().enumerate() {
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R /Resources << /Font << /F1 3 0 R >> \
             /XObject << /X1 4 0 R >> >> >>",
            6 + 2 * page
        ));
        objects.push(format!(
            "<< /Length {} >>\nstream\n{content}\nendstream",
            content.len()
        ));
    }
    let info = "<< /Title (Planting maize) /Author (A. Grower) /CreationDate (D:20260301) >>";
    objects.push(info.to_owned());
    let mut file = String::from("%PDF-1.4\n");
    let mut places = Vec::new();
    for (number, object) in objects.iter().enumerate() {
        places.push(file.len());
        file += &format!("{} 0 obj\n{object}\nendobj\n", number + 1);
    }
    let table = file.len();
    file += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        file += &format!("{place:010} 00000 n \n");
    }
    let size = objects.len() + 1;
    file += &format!(
        "trailer\n<< /Size {size} /Root 1 0 R /Info {} 0 R >>\nstartxref\n{table}\n%%EOF\n",
        size - 1
    );
    file.into_bytes()
}
