<%@ page contentType="text/plain; charset=UTF-8" pageEncoding="UTF-8" %>
<%@ taglib prefix="h" tagdir="/WEB-INF/tags" %><h:lamp name="fanal"/>
