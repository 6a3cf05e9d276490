//! The catalogue of the project, and of engines that tests write.
