#!/usr/bin/env python3
"""Every lint finds what it is there for: each case plants one breach in a small repository."""

import json
import tempfile
import unittest
from pathlib import Path

import banned
import contracts
import formatting
import layering
import names
import scripts
import sizes
import tidy
from sources import code_lines

_CMAKE = """
depot_room(driver/base LIBRARIES depot_json)
# depot_room(driver/commented_out)
depot_room(driver/http LIBRARIES depot_curl
  MAY_USE driver/base)
depot_room(plugin/plan MAY_USE driver/base)
"""
_README = """| `driver/base` | words | - |
| `driver/http` | HTTP | base |
| `plugin/plan` | plan | base |
"""


class Lints(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.root = Path(self._folder.name)
        self.write("CMakeLists.txt", _CMAKE)
        self.write("README.md", _README)
        for room in ("driver/http", "plugin/plan"):
            self.write(f"{room}/uses_base.cc", '#include "driver/base/error.h"\n')

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def assert_breach(self, lint, *words):
        found = list(lint.breaches(self.root))
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])

    def assert_clean(self, lint):
        self.assertEqual(list(lint.breaches(self.root)), [])


class Names(Lints):
    def own(self, path, text):
        self.write(path, f"namespace depot {{\nnamespace {{\n\n{text}\n\n}}  // namespace\n}}\n")

    def test_names_of_other_rooms_and_scopes_pass(self):
        self.own("driver/http/a.cc", "constexpr int kMost = 3;\nint Add(int a) {\n  return Sum(a);\n}")
        self.own("driver/http/d.cc", "using Words = int;")
        self.own("driver/http/e.cc", "using Words = int;")
        self.own("plugin/plan/b.cc", "constexpr int kMost = 3;\nint Add(int a) {\n  return Sum(a);\n}")
        self.write("driver/http/c.cc", "int Client::Add(int a) {\n  constexpr int kMost = 4;\n  return Sum(a);\n}\n")
        self.assert_clean(names)

    def test_a_second_function_constant_or_type_of_a_name(self):
        for text in ("int Add(int a) {\n}", "Result<std::string> Add(const A& a,", "constexpr int Add = 2;", "class Add final : public B {", "using Add = int;", "const Words Add(1);"):
            with self.subTest(text=text):
                self.own("driver/http/a.cc", "int Add(int a) {\n  return a;\n}")
                self.own("driver/http/b.cc", text)
                self.assert_breach(names, "driver/http/b.cc:4", "Add", "driver/http/a.cc")


class Layering(Lints):
    def test_allowed_arrows_pass(self):
        self.write("driver/http/client.cc", '#include "driver/base/error.h"\n#include <curl/curl.h>\n#include "driver/http/client.h"\n')
        self.write("plugin/main.cc", '#include "driver/http/client.h"\n')
        self.assert_clean(layering)

    def test_arrow_that_is_not_declared(self):
        self.write("plugin/plan/plan.cc", '#include "driver/http/client.h"\n')
        self.assert_breach(layering, "plugin/plan/plan.cc:1", "plugin/plan may not include driver/http/client.h")

    def test_heavy_header_in_a_header(self):
        self.write("driver/http/client.h", "#include <curl/curl.h>\n")
        self.assert_breach(layering, "heavy")

    def test_library_that_the_room_does_not_declare(self):
        self.write("driver/base/tls.cc", "#include <openssl/ssl.h>\n")
        self.assert_breach(layering, "LIBRARIES depot_openssl")

    def test_generated_code_in_a_header(self):
        self.write("plugin/top.h", '#include "proto/control.pb.h"\n')
        self.assert_breach(layering, "heavy")

    def test_generated_code_in_a_room_without_it(self):
        self.write("plugin/plan/plan.cc", '#include "proto/control.pb.h"\n')
        self.assert_breach(layering, "LIBRARIES depot_protocol")

    def test_circle(self):
        self.write("CMakeLists.txt", _CMAKE.replace("depot_json)", "depot_json MAY_USE driver/http)"))
        self.write("README.md", _README.replace("| - |", "| http |"))
        self.write("driver/base/circle.cc", '#include "driver/http/client.h"\n')
        self.assert_breach(layering, "declare driver/http before it")

    def test_arrow_that_nobody_uses(self):
        self.write("CMakeLists.txt", _CMAKE.replace("plugin/plan MAY_USE driver/base", "plugin/plan MAY_USE driver/base driver/http"))
        self.write("README.md", _README.replace("| plan | base |", "| plan | base http |"))
        self.assert_breach(layering, "plugin/plan may use driver/http, but includes nothing of it")
        layering.fix(self.root)
        self.assert_clean(layering)
        self.assertEqual((self.root / "CMakeLists.txt").read_text(), _CMAKE)
        self.assertEqual((self.root / "README.md").read_text(), _README)

    def test_fix_writes_the_table_of_rooms(self):
        self.write("README.md", "# Rooms\n\n" + _README.replace("| HTTP | base |", "| HTTP | oci |").replace("| `plugin/plan` | plan | base |\n", "") + "\nEnd.\n")
        layering.fix(self.root)
        self.assert_clean(layering)
        self.assertEqual((self.root / "README.md").read_text(), "# Rooms\n\n" + _README.replace("| plan |", "| ? |") + "\nEnd.\n")

    def test_fix_breaks_long_lines(self):
        rooms = "".join(f"depot_room(driver/room_number_{n})\n" for n in range(9))
        used = [f"driver/room_number_{n}" for n in range(8)]
        self.write("CMakeLists.txt", _CMAKE + rooms + f"depot_room(plugin/all LIBRARIES depot_json MAY_USE {' '.join(used)} driver/base)\n")
        self.write("plugin/all/all.cc", "".join(f'#include "{room}/x.h"\n' for room in used))
        layering.fix(self.root)
        self.assert_clean(layering)
        text = (self.root / "CMakeLists.txt").read_text()
        self.assertIn("depot_room(plugin/all LIBRARIES depot_json\n  MAY_USE driver/room_number_0", text)
        self.assertLessEqual(max(map(len, text.splitlines())), 120)

    def test_drawer(self):
        self.write("driver/base/string_utils.h", "")
        self.assert_breach(layering, "name the subject")

    def test_room_that_is_not_declared(self):
        self.write("driver/odds/ends.h", "")
        self.assert_breach(layering, "driver/odds is not a room")

    def test_tests_in_the_product(self):
        self.write("driver/base/x.cc", '#include "tests/fakes/fake.h"\n')
        self.assert_breach(layering, "nothing of tests/")

    def test_readme_that_lies(self):
        self.write("README.md", _README.replace("| HTTP | base |", "| HTTP | base oci |"))
        self.assert_breach(layering, "README.md: driver/http may use: base")

    def test_readme_that_lacks_a_room(self):
        self.write("README.md", _README.replace("| `plugin/plan` | plan | base |\n", ""))
        self.assert_breach(layering, "lacks plugin/plan")


class Contracts(Lints):
    def test_types_and_virtuals_with_comments_pass(self):
        text = "/// A.\nclass A {\n public:\n  virtual ~A() = default;\n  /// F.\n  virtual int F(int a,\n      int b) = 0;\n};\n"
        text += "class Forward;\n/// T.\ntemplate <typename T>\nstruct B {};\nenum class C { kX };  ///< C.\n"
        self.write("driver/base/a.h", text)
        self.assert_clean(contracts)

    def test_silent_type(self):
        self.write("driver/base/a.h", "\nstruct Silent {\n  int x;\n};\n")
        self.assert_breach(contracts, "driver/base/a.h:2", "Silent")

    def test_what_is_private_needs_no_comment(self):
        self.write("driver/base/a.h", "/// A.\nclass A {\n private:\n  struct B {\n    int x;\n  };\n};\n")
        self.assert_clean(contracts)
        self.write("driver/base/a.h", "/// A.\nclass A {\n private:\n  int x;\n};\nstruct B {\n};\n")
        self.assert_breach(contracts, "driver/base/a.h:6", "B has no")

    def test_silent_virtual(self):
        self.write("driver/base/a.h", "/// A.\nclass A {\n  virtual void F() = 0;\n};\n")
        self.assert_breach(contracts, "F has no /// comment")

    def test_plain_comment_is_not_a_contract(self):
        self.write("driver/base/a.h", "// A.\nenum class A { kX };\n")
        self.assert_breach(contracts, "A has no")


    def test_silent_free_function(self):
        self.write("driver/base/a.h", "namespace depot {\n\nint Silent(\n    int x);\n\n}  // namespace depot\n")
        self.assert_breach(contracts, "driver/base/a.h:3", "Silent has no")

    def test_free_functions_with_comments_pass(self):
        text = "#define M(x) \\\n  F(x)\nnamespace depot {\n/// F.\nint F();\nint F(int x);\n\n/// T.\ntemplate <typename T>\nT G(T t) {\n  return H(t);\n}\n"
        text += "int x = F();\nusing P = void (*)();\n/// C.\nclass C {\n  int Member();\n  C(int x) : x_(x) {}\n};\n}  // namespace depot\n"
        self.write("driver/base/a.h", text)
        self.assert_clean(contracts)

    def test_a_group_ends_with_an_empty_line(self):
        self.write("driver/base/a.h", "/// F.\nint F();\nint F(int x);\n\nint G();\n")
        self.assert_breach(contracts, "driver/base/a.h:5", "G has no")


class Banned(Lints):
    def test_words_in_comments_and_strings_pass(self):
        self.write("driver/base/a.cc", '// std::thread, catch (\nconst char* x = "printf(getenv throw";\nint n = 1\'000; /* std::cout */\n')
        self.assert_clean(banned)

    def test_each_rule(self):
        cases = {
            "std::thread t(f);": "TaskGroup",
            "auto f = std::async(g);": "TaskGroup",
            "t.detach();": "TaskGroup",
            "std::this_thread::sleep_for(x);": "SleepFor",
            'auto h = std::getenv("HOME");': "main.cc",
            'std::cerr << "x";': "terminal",
            'fprintf(stderr, "x");': "terminal",
            "write(STDOUT_FILENO, x, 1);": "terminal",
            "try { F(); } catch (...) {}": "Result",
            "throw 1;": "Fail(",
            "int n = std::stoi(x);": "ParseDecimal",
            "std::regex r;": "by hand",
            'system("ls");': "RunSubprocess",
            "std::random_device d;": "RandomBytes",
            "auto built = __DATE__;": "the same bytes",
            "using namespace std;": "name what is used",
            "int x;  // NOLINT": "name the one check",
            "int x;  // NOLINT(readability-function-size)": "never function-size",
            "int x;  // TO" + "DO: later": "finish it",
        }
        for line, words in cases.items():
            with self.subTest(line):
                self.write("driver/base/a.cc", line + "\n")
                self.assert_breach(banned, "driver/base/a.cc:1", words)

    def test_allowed_places(self):
        self.write("driver/base/task_group.cc", "std::thread t;\n")
        self.write("plugin/main.cc", "try {\n  std::getenv(x);\n} catch (...) {\n  std::cerr << 1;\n}\n")
        self.write("driver/base/b.cc", "auto n = std::thread::hardware_concurrency(); snprintf(b, 1, x); using namespace std::chrono_literals;\n")
        self.assert_clean(banned)


class TheOthers(Lints):
    def test_sizes(self):
        self.write("driver/base/a.h", "\n" * 200)
        self.write("driver/base/a.cc", "\n" * 501)
        self.assert_breach(sizes, "driver/base/a.cc: 501 lines")

    def test_class_that_is_two_things(self):
        self.write("driver/base/a.cc", "template <typename T>\nclass Long final : public Base {\n" + "  int x;\n" * 249 + "};\nclass Forward;\n")
        self.assert_breach(sizes, "driver/base/a.cc:2: Long has 251 lines")
        self.write("driver/base/a.cc", "class A {\n" + "  int x;\n" * 248 + "};\nenum class B {\n" + "  kX,\n" * 240 + "};\n")
        self.assert_clean(sizes)

    def test_a_room_called_build_is_no_build_folder(self):
        self.write("build/a.cc", "\n" * 501)
        self.assert_clean(sizes)
        self.write("driver/build/a.cc", "\n" * 501)
        self.assert_breach(sizes, "driver/build/a.cc: 501 lines")

    def test_script_that_does_not_parse(self):
        self.write("install/x.sh", "#!/bin/sh\nif then\n")
        self.assert_breach(scripts, "x.sh")
        self.write("install/x.sh", "#!/bin/sh\ntrue\n")
        self.write("tests/y.py", "def f(:\n")
        self.assert_breach(scripts, "y.py:1")

    def test_script_that_cannot_be_run(self):
        self.write("install/x", "#!/bin/bash\ntrue\n")
        self.assert_breach(scripts, "not executable")

    def test_tidy_looks_into_a_room(self):
        self.write(".clang-tidy", "Checks: '-*,clang-analyzer-core.*,misc-unused-parameters'\nHeaderFilterRegex: 'driver/'\n")
        self.write("driver/http/a.cc", "int F(int x) {\n  int* p = nullptr;\n  return x ? *p : 0;\n}\n")
        self.write("driver/http/b.cc", "int G(int x) { return 0; }\n")
        room = self.root / "build/room.dir/Unity/unity_0_cxx.cxx"
        self.write(room, "".join(f'#include "{self.root}/driver/http/{name}.cc"\n' for name in "ab"))
        entry = {"directory": str(self.root / "build"), "file": str(room), "command": f"clang++ -c {room}"}
        self.write("build/compile_commands.json", json.dumps([entry]))
        found = tidy.everywhere(self.root, self.root / "build")
        self.assertEqual([line.split(":")[:2] for line in found], [["driver/http/a.cc", "3"], ["driver/http/b.cc", "1"]])

    def test_text_form(self):
        for data, words in ((b"a \n", "blank"), (b"a\r\n", "CR"), (b"a", "newline"), (b"a\n\n", "empty line")):
            found = list(formatting.text_breaches(Path("x.md"), data))
            self.assertEqual(len(found), 1, data)
            self.assertIn(words, found[0])
        self.assertEqual(list(formatting.text_breaches(Path("x.md"), b"a\n")), [])

    def test_code_lines_keep_their_numbers(self):
        text = 'a /* one\ntwo */ b\nauto r = R"x(throw\n)" y)x"; c\n"//" d\n'
        lines = code_lines(text)
        self.assertEqual(len(lines), 5)
        self.assertIn("b", lines[1])
        self.assertNotIn("throw", lines[2])
        self.assertTrue(lines[3].endswith("; c"))
        self.assertTrue(lines[4].endswith("d"))


if __name__ == "__main__":
    unittest.main()
