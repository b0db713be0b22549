from setuptools import setup

setup(
    name="demo-flask-vuejs-rest",
    version="1.0",
    # Nothing to import: the application is its executable.
    py_modules=[],
    install_requires=["flask"],
    scripts=["web_interface.py"],
)
