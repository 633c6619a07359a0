#pragma once

#include <memory>

#include "hasten/reader.hpp"

/// The readers by name, for the list in formats.cpp. Each stands in the file of its name.
namespace hasten {

std::unique_ptr<Reader> make_txt_reader();
std::unique_ptr<Reader> make_md_reader();
std::unique_ptr<Reader> make_html_reader();
std::unique_ptr<Reader> make_pdf_reader();
std::unique_ptr<Reader> make_docx_reader();
std::unique_ptr<Reader> make_csv_reader();
std::unique_ptr<Reader> make_json_reader();
std::unique_ptr<Reader> make_jsonl_reader();

}  // namespace hasten
