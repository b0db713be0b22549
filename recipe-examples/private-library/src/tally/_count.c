#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* words(text) -> list of the runs of letters and digits in it */
static PyObject *words(PyObject *module, PyObject *text) {
    (void)module;
    if (!PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_TypeError, "words() needs a str");
        return NULL;
    }
    PyObject *found = PyList_New(0);
    if (found == NULL) {
        return NULL;
    }
    Py_ssize_t length = PyUnicode_GetLength(text);
    Py_ssize_t start = -1;
    for (Py_ssize_t at = 0; at <= length; at++) {
        int inside = at < length && Py_UNICODE_ISALNUM(PyUnicode_ReadChar(text, at));
        if (inside && start < 0) {
            start = at;
        } else if (!inside && start >= 0) {
            PyObject *word = PyUnicode_Substring(text, start, at);
            if (word == NULL || PyList_Append(found, word) < 0) {
                Py_XDECREF(word);
                Py_DECREF(found);
                return NULL;
            }
            Py_DECREF(word);
            start = -1;
        }
    }
    return found;
}

static PyMethodDef methods[] = {
    {"words", words, METH_O, "The words of a text, in order."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_count", NULL, -1, methods, NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__count(void) { return PyModule_Create(&definition); }
