#!/usr/bin/env python3
"""What `cmake --install` puts in place: the tool, and the runtime library as CMake and pkg-config find it.

usage: installed.py HALFSTEP [unittest's arguments]    (HALFSTEP in BUILD/bin)
"""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from tool import REFERENCES, find_compiler, run  # noqa: E402

PROGRAM = """#include <halfstep/scaler.h>
#include <stdio.h>

int main(void) {
  hs_scaler *scaler = NULL;
  float scale = 0;
  if (hs_scaler_create(NULL, &scaler) != HS_OK || hs_scaler_update(scaler, 1) != HS_OK ||
      hs_scaler_scale(scaler, &scale) != HS_OK)
    return 1;
  hs_scaler_destroy(scaler);
  printf("%g\\n", scale);
  return 0;
}
"""
CMAKE_LISTS = """cmake_minimum_required(VERSION 3.16)
project(application C)
find_package(halfstep CONFIG REQUIRED)
add_executable(application program.c)
target_link_libraries(application PRIVATE halfstep::runtime)
"""
HALVED = "32768\n"  # PyTorch's first scale after one overflow
BUILD = None


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.work = Path(cls.folder.name)
        cls.prefix = cls.work / "prefix"
        run(["cmake", "--install", BUILD, "--prefix", cls.prefix])
        cls.libraries = next(cls.prefix.glob("**/libhalfstep_runtime.so")).parent
        (cls.work / "program.c").write_text(PROGRAM)
        (cls.work / "CMakeLists.txt").write_text(CMAKE_LISTS)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_tool_compiles(self):
        run([self.prefix / "bin" / "halfstep", "compile", REFERENCES / "mlp" / "model.json", "--loss", "cross_entropy",
             "-o", self.work / "library", "--name", "mlp"])
        self.assertTrue((self.work / "library" / "libmlp.so").exists())

    def test_pkg_config_finds_the_runtime(self):
        if not shutil.which("pkg-config"):
            self.skipTest("no pkg-config")
        flags = run(["pkg-config", "--cflags", "--libs", "halfstep"],
                    environment={"PKG_CONFIG_PATH": str(self.libraries / "pkgconfig")}).split()
        run([*find_compiler("CC", "cc"), "-std=c99", self.work / "program.c", *flags, "-o", self.work / "program"])
        self.assertEqual(run([self.work / "program"], environment={"LD_LIBRARY_PATH": str(self.libraries)}), HALVED)

    def test_cmake_finds_the_runtime(self):
        build = self.work / "build"
        run(["cmake", "-G", "Ninja", "-S", self.work, "-B", build, "-DCMAKE_PREFIX_PATH=%s" % self.prefix])
        run(["cmake", "--build", build])
        self.assertEqual(run([build / "application"]), HALVED)


if __name__ == "__main__":
    BUILD = Path(sys.argv.pop(1)).resolve().parents[1]
    unittest.main()
