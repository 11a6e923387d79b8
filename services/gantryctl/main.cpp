#include "app.hpp"

int main(int argc, char** argv) {
    return gantry::ctl::run(argc, argv);
}
