#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace depot {

/// Turns what a build step printed (raw bytes in chunks cut anywhere) into lines that are safe to
/// show: no byte in them can move the cursor, rewrite or hide other lines, or change the terminal.
/// Colours (SGR sequences, ECMA-48 8.3.117, without "concealed") stay when asked for, and end with
/// their line; every other escape sequence and control character goes. Of a line that was rewritten
/// with CR or BS the last state counts. Invalid UTF-8 becomes U+FFFD. One per stream of a step.
class LogFilter {
 public:
  explicit LogFilter(bool colours) : colours_(colours) {}

  /// Appends the lines that `bytes` completes, without newline. A line longer than `line_limit`
  /// bytes is cut into several.
  void Feed(std::string_view bytes, std::size_t line_limit, std::vector<std::string>& lines);

  /// Whether there is text of a line that has not ended.
  bool open() const { return visible_ || !utf8_.empty(); }

  /// Bytes held.
  std::size_t size() const { return line_.size(); }

  /// Ends the open line and returns it.
  std::string TakeOpen();

 private:
  enum class State { kText, kEscape, kControl, kString };

  void TextByte(unsigned char byte, std::vector<std::string>& lines);
  void EscapeByte(unsigned char byte);
  void ControlByte(unsigned char byte);
  void StringByte(unsigned char byte);
  void AppendText(std::string_view text);
  void AppendHighBytes(std::string_view bytes);
  void FlushUtf8();
  void Colour();
  void Backspace();
  std::string EndLine();

  bool colours_;
  State state_ = State::kText;
  std::string line_;       ///< begins with the colours that are on
  bool coloured_ = false;  ///< line_ holds colours
  bool visible_ = false;   ///< line_ holds more than colours
  bool returned_ = false;  ///< a CR came: the next text starts the line again
  std::string utf8_;       ///< the start of a character whose rest is in the next chunk
  std::string sequence_;   ///< parameters of a control sequence
  std::size_t string_size_ = 0;
  std::string active_;  ///< colours that are on
};

}  // namespace depot
