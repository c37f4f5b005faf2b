#!/usr/bin/env python3
"""Generated libraries in the hands of applications: C and C++ compilers, CMake, pkg-config, the linker's view.

usage: applications.py HALFSTEP [unittest's arguments]
"""

import array
import json
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from generated import Instance  # noqa: E402
from tool import REFERENCES, Failure, Tool, find_compiler, run  # noqa: E402

HERE = Path(__file__).resolve().parent
COMMON = ["--loss", "cross_entropy", "--batch", "4", "--cpu-gemm", "generated"]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
SYSTEM = {"libc.so.6", "libm.so.6", "ld-linux-x86-64.so.2"}
# The linker itself defines it.
LINKER_SYMBOLS = {"_GLOBAL_OFFSET_TABLE_"}
# A library must not end its process, write to its streams, or take its signals.
FORBIDDEN = {"exit", "_exit", "_Exit", "quick_exit", "abort", "raise", "kill", "atexit", "__assert_fail", "printf",
             "__printf_chk", "fprintf", "__fprintf_chk", "puts", "putchar", "perror", "stdout", "stderr", "signal",
             "sigaction", "system"}
CMAKE_LISTS = """cmake_minimum_required(VERSION 3.16)
project(application C)
find_package(mlp CONFIG REQUIRED)
find_package(cnn CONFIG REQUIRED)
add_executable(archive two_models.c)
target_link_libraries(archive PRIVATE mlp::mlp cnn::cnn)
add_executable(shared two_models.c)
target_link_libraries(shared PRIVATE mlp::mlp_shared cnn::cnn_shared)
"""
WRAPPED = ("malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign")
TOOL = None


def symbols(*arguments):
    """The names that nm prints."""
    lines = run(["nm", *arguments]).splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if line.strip() and not line.endswith(":")}


class Applications(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.cc, cls.cxx = find_compiler("CC", "cc"), find_compiler("CXX", "c++")
        cls.libraries = {}
        for name, precision in (("mlp", "32-true"), ("cnn", "bf16-mixed")):
            cls.libraries[name] = TOOL.compile(REFERENCES / name / "model.json", cls.work / "libraries" / name,
                                               *COMMON, "--precision", precision, name=name)
        cls.losses = cls.losses_alone()

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def losses_alone(cls):
        """What two_models.c prints, from each library by itself in this process."""
        x = array.array("f", [(i % 17 - 8) / 8 for i in range(4 * 64)])
        y = array.array("q", range(4))
        columns = []
        for name, folder in cls.libraries.items():
            with Instance(folder / ("lib%s.so" % name), name) as model:
                columns.append([model.train_step([x], [y]).loss for _ in range(3)])
        return "".join("%.17g %.17g\n" % pair for pair in zip(*columns))

    def build(self, *arguments, compiler=None):
        output = self.work / self.id().split(".")[-1]
        run([*(compiler or self.cc), *arguments, "-o", output])
        return output

    def test_example_links_the_archive_as_c99(self):
        for name, folder in self.libraries.items():
            program = self.build("-std=c99", *WARNINGS, folder / "example.c", folder / ("lib%s.a" % name), "-lm")
            self.assertRegex(run([program]), r"^loss [0-9.e+-]+, 1 update\n$")

    def test_example_links_the_shared_library(self):
        folder = self.libraries["mlp"]
        program = self.build("-std=c11", *WARNINGS, folder / "example.c", "-L", folder, "-lmlp")
        self.assertIn("1 update", run([program], environment={"LD_LIBRARY_PATH": str(folder)}))

    def test_header_is_cxx(self):
        source = self.work / "use.cpp"
        source.write_text('#include "mlp.h"\n#include "mlp.h"\n#include "cnn.h"\n'
                          "int main() { mlp *m = nullptr; hs_status s = mlp_create(nullptr, &m); mlp_destroy(m);"
                          " return s; }\n")
        folders = [word for folder in self.libraries.values() for word in ("-I", folder)]
        program = self.build("-std=c++17", *WARNINGS, *folders, source, self.libraries["mlp"] / "libmlp.a", "-lm",
                             compiler=self.cxx)
        run([program])

    def test_two_libraries_in_one_process(self):
        folders = list(self.libraries.values())
        program = self.build("-std=c99", *WARNINGS, "-I", folders[0], "-I", folders[1], HERE / "two_models.c",
                             folders[0] / "libmlp.a", folders[1] / "libcnn.a", "-lm")
        self.assertEqual(run([program]), self.losses)

    def test_find_package(self):
        source = self.work / "cmake"
        source.mkdir()
        (source / "CMakeLists.txt").write_text(CMAKE_LISTS)
        shutil.copy(HERE / "two_models.c", source)
        prefixes = ";".join(map(str, self.libraries.values()))
        run(["cmake", "-G", "Ninja", "-S", source, "-B", source / "build", "-DCMAKE_PREFIX_PATH=" + prefixes])
        run(["cmake", "--build", source / "build"])
        for program in ("archive", "shared"):
            self.assertEqual(run([source / "build" / program]), self.losses, program)

    def test_pkg_config(self):
        if not shutil.which("pkg-config"):
            self.skipTest("no pkg-config")
        paths = ":".join(map(str, self.libraries.values()))
        flags = run(["pkg-config", "--cflags", "--libs", "mlp", "cnn"], environment={"PKG_CONFIG_PATH": paths}).split()
        program = self.build("-std=c99", HERE / "two_models.c", *flags)
        self.assertEqual(run([program], environment={"LD_LIBRARY_PATH": paths}), self.losses)

    def test_symbols_bear_the_prefix(self):
        for name, folder in self.libraries.items():
            for found in (symbols("-g", "--defined-only", folder / ("lib%s.a" % name)),
                          symbols("-D", "--defined-only", folder / ("lib%s.so" % name))):
                self.assertIn(name + "_train_step", found)
                self.assertEqual([s for s in found if not s.startswith(name + "_")], [])

    def test_needs_only_libc_and_libm(self):
        system = set(LINKER_SYMBOLS)
        for library in ("libc.so.6", "libm.so.6"):
            path = run([*self.cc, "-print-file-name=" + library]).strip()
            system |= symbols("-D", "--defined-only", path)
        for name, folder in self.libraries.items():
            undefined = symbols("-u", folder / ("lib%s.a" % name)) | symbols("-D", "-u", folder / ("lib%s.so" % name))
            weak = {"_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__"}
            self.assertEqual(sorted(undefined - system - weak), [])
            self.assertEqual(sorted(undefined & FORBIDDEN), [])
            needed = run(["readelf", "-d", folder / ("lib%s.so" % name)])
            found = {line.split("[")[1].split("]")[0] for line in needed.splitlines() if "(NEEDED)" in line}
            self.assertEqual(found - SYSTEM, set())
            manifest = json.loads((folder / (name + ".manifest.json")).read_text())
            self.assertEqual(set(manifest["depends"]) - SYSTEM, set())

    def test_no_writable_data(self):
        for name, folder in self.libraries.items():
            sections = run(["size", "-A", folder / ("lib%s.so" % name)]).splitlines()
            sizes = {line.split()[0]: int(line.split()[1]) for line in sections if line.startswith(".")}
            writable = {section: size for section, size in sizes.items()
                        if section.split(".")[1] in ("data", "bss", "tdata", "tbss") and section != ".data.rel.ro"}
            self.assertEqual(sum(writable.values()), 0, writable)

    def test_compiling_twice_writes_the_same_bytes(self):
        for name, folder in self.libraries.items():
            precision = json.loads((folder / (name + ".manifest.json")).read_text())["precision"]
            elsewhere = self.work / "elsewhere" / name
            elsewhere.mkdir(parents=True)
            shutil.copy(REFERENCES / name / "model.json", elsewhere)
            again = elsewhere / "again"
            TOOL("compile", "model.json", "-o", "again", "--name", name, *COMMON, "--precision", precision,
                 folder=elsewhere)
            files = sorted(path.name for path in folder.iterdir())
            self.assertEqual(files, sorted(path.name for path in again.iterdir()))
            different = [file for file in files if (folder / file).read_bytes() != (again / file).read_bytes()]
            self.assertEqual(different, [])

    def test_any_name_becomes_an_identifier(self):
        output = self.work / "hostile"
        TOOL("compile", REFERENCES / "mlp" / "model.json", "-o", output, *COMMON, "--name", 'my model;$(x) "é" -v2')
        name = next(output.glob("*.manifest.json")).name.split(".")[0]
        self.assertRegex(name, "^[A-Za-z][A-Za-z0-9_]*$")
        program = self.build("-std=c99", *WARNINGS, output / "example.c", output / ("lib%s.a" % name), "-lm")
        self.assertIn("1 update", run([program]))

    def test_steps_allocate_nothing(self):
        folder = self.libraries["cnn"]
        wraps = ["-Wl,--wrap=" + name for name in WRAPPED]
        program = self.build("-std=c99", "-I", folder, HERE / "allocations.c", folder / "libcnn.a", "-lm", "-lpthread",
                             *wraps)
        self.assertIn(" 0 in 20 steps", run([program]))

    def test_a_missing_libdnnl_is_a_status(self):
        output = TOOL.compile(REFERENCES / "mlp" / "model.json", self.work / "onednn", "--loss", "cross_entropy",
                              "--batch", "4", "--cpu-gemm", "onednn", name="dnn")
        program = self.build("-std=c99", output / "example.c", output / "libdnn.a", "-lm", "-ldl", "-lpthread")
        with self.assertRaises(Failure) as caught:
            run([program], environment={"HALFSTEP_LIBDNNL": "/nonexistent/libdnnl.so.3"})
        self.assertIn("libdnnl.so.3 (oneDNN 3) is missing", str(caught.exception))


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()
