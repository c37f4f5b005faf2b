// Puts a report's data, and the style and the script that show it, into the template page.html.
#include "report/ReportPage.h"

#include "report/ReportDiff.h"
#include "report/ReportJson.h"
#include "report/ReportText.h"

using json = nlohmann::ordered_json;

extern "C" const char halfstep_report_html[], halfstep_report_css[], halfstep_report_js[],
    halfstep_report_ir_js[];

namespace halfstep {

/// JSON that is safe between <script> and </script>: no name in it can end the element or open a comment.
static std::string scriptText(const json &value) {
  std::string text;
  for (char c : dumpJson(value))
    text += c == '<' ? "\\u003c" : std::string(1, c);
  return text;
}

static void put(std::string &page, const std::string &mark, const std::string &text) {
  page.replace(page.find(mark), mark.size(), text);
}

/// The ops of two reports by their numbers; null where one of the two has no such op.
static json pairsOf(const PrecisionReport &a, const PrecisionReport &b) {
  json pairs = json::array();
  for (const OpPair &pair : matchOps(a, b))
    pairs.push_back({{"a", pair.a ? json(pair.a - a.ops.data()) : json()},
                     {"b", pair.b ? json(pair.b - b.ops.data()) : json()},
                     {"differs", pair.differs()}});
  return pairs;
}

std::string reportPage(const std::vector<PrecisionReport> &reports) {
  json data = {{"reports", json::array()}, {"summaries", json::array()}, {"ir", json::array()}};
  for (const PrecisionReport &report : reports) {
    data["reports"].push_back(reportToJson(report));
    data["summaries"].push_back(summaryLine(report));
    for (const IrReport &ir : report.ir) {
      data["ir"].push_back(irToJson(ir));
      data["ir"].back()["label"] = report.label;
    }
  }
  if (reports.size() == 2)
    data["pairs"] = pairsOf(reports[0], reports[1]);
  std::string page = halfstep_report_html;
  put(page, "@STYLE@", halfstep_report_css);
  put(page, "@SCRIPT@", halfstep_report_js);
  put(page, "@SCRIPT_IR@", halfstep_report_ir_js);
  put(page, "@REPORT@", scriptText(data)); // last: what a model holds is never searched for marks
  return page;
}

} // namespace halfstep
