"""Builds the one extension, fastnn._core, from fastnn/_core.pyx, the parts it includes
(fastnn/_core_*.pxi) and the C library in csrc/.

    pip install .                      build and install
    pip install -e .                   the same, in place; run it again after changing C or Cython
    python setup.py test_c             build and run the C library's own tests (csrc/tests)
    FASTNN_SANITIZE=1 python setup.py test_c         ... under ASan and UBSan
    FASTNN_SANITIZE=thread python setup.py test_c    ... under TSan

The rest of the metadata is in pyproject.toml. Sources are compiled

- once:                                 the files in ONCE, and the Cython module
- for float and for double:             the other files of csrc/
- for every (instruction set, type):    csrc/kernels/

Objects live in build/objects/<platform>/ and are made again only when something they include is
newer, also when pip builds in temporary directories of its own.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Command, Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
CSRC = ROOT / "csrc"
ONCE = ("cpu.c", "names.c", "threads.c", "run.c", "shuffle.c")
TYPES = {"f32": [], "f64": ["-DFNN_DOUBLE"]}

# The arithmetic contract needs -ffp-contract=off: a multiply-add fuses where the source says so.
FLAGS = [
    "-O3", "-g0", "-std=gnu11", "-ffp-contract=off", "-fno-math-errno", "-fno-fast-math",
    "-fvisibility=hidden", "-fPIC", "-pthread", "-Wall", "-Wextra",
]  # fmt: skip
PORTABLE = "-O2 -DFNN_ISA_PORTABLE"  # -O3 takes long to compile here and is no faster
ISAS = {
    "x86_64": {
        "avx512": "-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprfchw -DFNN_ISA_AVX512",
        "avx2": "-mavx2 -mfma -mprfchw -DFNN_ISA_AVX2",
        "portable": PORTABLE,
    },
    "aarch64": {"neon": "-DFNN_ISA_NEON", "portable": PORTABLE},
    "other": {"portable": PORTABLE},
}
SANITIZERS = {"": None, "0": None, "1": "address,undefined", "thread": "thread"}

NO_COMPILER = """
fastnn is built from C, and this machine has no {missing}. Install it, then try again:
  Debian, Ubuntu   apt-get install build-essential python3-dev
  Fedora           dnf install gcc python3-devel
  Alpine           apk add build-base python3-dev linux-headers
  macOS            xcode-select --install
  Windows          not supported yet (use WSL)
"""


def sanitizer():
    name = os.environ.get("FASTNN_SANITIZE", "")
    if name not in SANITIZERS:
        raise SystemExit(f"FASTNN_SANITIZE={name}: expected 1 (address and undefined) or thread")
    return SANITIZERS[name]


class Builder:
    """Compiles sources to objects, in parallel, and only those that are out of date."""

    def __init__(self, compiler):
        if compiler.compiler_type != "unix":
            raise SystemExit(NO_COMPILER.format(missing="compiler that understands GCC's options"))
        self.cc = [*compiler.compiler_so]
        if shutil.which(self.cc[0]) is None:
            raise SystemExit(NO_COMPILER.format(missing=f"C compiler ('{self.cc[0]}' not found)"))
        self.flags, variant = FLAGS, sysconfig.get_platform()
        if sanitizer():
            self.flags = [
                *FLAGS, "-O1", "-g1", "-fno-omit-frame-pointer", f"-fsanitize={sanitizer()}",
                "-fno-sanitize-recover=all",
            ]  # fmt: skip
            variant += "-" + sanitizer().replace(",", "-")
        self.directory = ROOT / "build" / "objects" / variant
        self.directory.mkdir(parents=True, exist_ok=True)

    def architecture(self):
        """Ask the compiler what it compiles for: it may be a cross compiler."""
        command = [*self.cc, "-dM", "-E", "-x", "c", os.devnull]
        macros = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        return next((name for name in ("x86_64", "aarch64") if f"__{name}__" in macros), "other")

    def outdated(self, target):
        """Whether `target` is older than setup.py or anything its compilation read (-MMD)."""
        rule = target.with_suffix(".d")
        if not (target.exists() and rule.exists()):
            return True
        inputs = rule.read_text().replace("\\\n", " ").split(": ", 1)[1].split()
        built = target.stat().st_mtime
        return any(
            not os.path.exists(path) or os.path.getmtime(path) > built
            for path in [*inputs, __file__]
        )

    def compile(self, jobs):
        """Compile (source, subdirectory, extra flags) triples and return the objects' paths."""

        def run(job):
            source, subdirectory, extra = job
            target = self.directory / subdirectory / (Path(source).stem + ".o")
            if self.outdated(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                part = target.with_suffix(f".{os.getpid()}.part")  # never a half-written object
                started = time.time()  # an edit during the compilation is newer than the object
                command = [*self.cc, *self.flags, *extra, "-MMD", "-MF", target.with_suffix(".d")]
                command = [*map(str, [*command, "-c", source, "-o", part])]
                result = subprocess.run(command, capture_output=True, text=True)
                if result.stderr:
                    print(" ".join(command), result.stderr, sep="\n", file=sys.stderr)
                if result.returncode:
                    raise SystemExit(f"compiling {source} failed with status {result.returncode}")
                os.utime(part, (started, started))
                part.replace(target)
            return str(target)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(run, jobs))

    def library(self):
        """Return the jobs that compile csrc/."""
        jobs = []
        for source in sorted([*CSRC.glob("*.c"), *CSRC.glob("program/*.c")]):
            if source.name in ONCE:
                jobs.append((source, "once", []))
            else:
                jobs += [(source, type_, flags) for type_, flags in TYPES.items()]
        for source in sorted(CSRC.glob("kernels/*.c")):
            for isa, flags in ISAS[self.architecture()].items():
                for type_, more in TYPES.items():
                    jobs.append((source, f"{isa}-{type_}", [*flags.split(), *more]))
        return jobs


class BuildExtension(build_ext):
    def build_extension(self, ext):
        from Cython.Build import cythonize

        python_h = Path(sysconfig.get_path("include"), "Python.h")
        if not python_h.exists():
            raise SystemExit(NO_COMPILER.format(missing=f"Python headers ({python_h})"))
        builder = Builder(self.compiler)
        tag = sys.implementation.cache_tag
        generated = cythonize(
            ext, build_dir=os.path.relpath(builder.directory / tag), language_level=3
        )[0].sources
        include = [f"-I{path}" for path in [CSRC, *self.include_dirs]]
        module = [(path, tag, ["-O2", "-Wno-extra", *include]) for path in generated]
        objects = builder.compile([*module, *builder.library()])  # the slowest first
        options = ["-pthread", *(["-s"] if sys.platform == "linux" and not sanitizer() else [])]
        options += [f"-fsanitize={sanitizer()}"] if sanitizer() else []
        target = Path(self.get_ext_fullpath(ext.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        self.compiler.link_shared_object(
            objects, str(target), libraries=["m"], extra_postargs=options
        )


class TestC(Command):
    """Builds every csrc/tests/test_*.c against the library (for both types, except the tests of
    a file in ONCE) and runs it; a test is a program that returns 0. The tests of a type have their
    own fnn_kernel_table (check.h)."""

    description = "build and run the tests of the C library"
    user_options = [("only=", None, "run only the test of this name, as in test_<only>.c")]

    def initialize_options(self):
        self.only = None

    def finalize_options(self):
        pass

    def run(self):
        from setuptools._distutils.ccompiler import new_compiler
        from setuptools._distutils.sysconfig import customize_compiler

        compiler = new_compiler()
        customize_compiler(compiler)
        builder = Builder(compiler)
        library = builder.compile(builder.library())
        tests = sorted(CSRC.glob(f"tests/test_{self.only or '*'}.c"))
        if not tests:
            raise SystemExit(f"no csrc/tests/test_{self.only or '*'}.c")
        jobs = []
        for source in tests:
            once = source.name.removeprefix("test_") in ONCE
            for type_, flags in {"once": []}.items() if once else TYPES.items():
                jobs.append((source, f"tests-{type_}", [f"-I{CSRC}", "-UNDEBUG", *flags]))
        for path in builder.compile(jobs):
            program = path.removesuffix(".o")
            type_ = Path(path).parent.name.removeprefix("tests-")
            own = str(builder.directory / type_ / "kernel_table.o")
            objects = [path, *(other for other in library if other != own)]
            command = [*compiler.compiler_so, *builder.flags, *objects, "-o", program, "-lm"]
            subprocess.run(command, check=True)
            print("test_c:", os.path.relpath(program, builder.directory), flush=True)
            if status := subprocess.run([program]).returncode:
                raise SystemExit(f"{program} failed with status {status}")


if sys.platform == "darwin":  # one architecture a build: the instruction sets differ
    os.environ.setdefault("ARCHFLAGS", f"-arch {platform.machine()}")

setup(
    license="MIT",  # here, because its form in pyproject.toml changed between setuptools versions
    ext_modules=[Extension("fastnn._core", ["fastnn/_core.pyx"])],
    cmdclass={"build_ext": BuildExtension, "test_c": TestC},
)
