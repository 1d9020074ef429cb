<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
one lamp, <%= 6 * 7 %>
