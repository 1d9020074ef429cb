<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ page import="javax.naming.*" %><%= ((Context) new InitialContext().lookup("java:comp/env")).lookup("lamps") %> <%= new InitialContext().lookup("java:comp/env/harbourName") %>
